//! Requests that were sent to connectors and session servers of the Go SDK, with
//! the texts of their refusals. `tests/fixtures/requests.tsv` holds the bytes in
//! hexadecimal, with `78*1025` for a byte that occurs 1025 times in a row.

use crate::check_request;

const RECORDED: &str = include_str!("../../../tests/fixtures/requests.tsv");

struct Request {
    name: String,
    message: &'static str,
    bytes: Vec<u8>,
    refusal: Option<&'static str>,
}

fn requests() -> Vec<Request> {
    let lines = RECORDED.lines().skip(1);
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [recording, n, path, case, request, refusal] = columns[..] else {
                panic!("not six columns: {line}");
            };
            let mut methods = baton_proto::services().iter().flat_map(|s| &s.methods);
            let method = methods.find(|method| method.path == path).unwrap();
            Request {
                name: format!("{recording} {n} {case}"),
                message: &method.request,
                bytes: request.split_whitespace().flat_map(run).collect(),
                refusal: (refusal != "-").then_some(refusal),
            }
        })
        .collect()
}

fn run(text: &str) -> Vec<u8> {
    let (digits, times) = text.split_once('*').unwrap_or((text, "1"));
    let digits = digits.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    bytes.repeat(times.parse().unwrap())
}

#[test]
fn recorded_requests_pass_or_are_refused_with_the_same_text() {
    let requests = requests();
    let refused = requests.iter().filter(|r| r.refusal.is_some()).count();
    assert!(refused > 150 && requests.len() > 500, "{refused}");
    for request in requests {
        let result = check_request(request.message, &request.bytes);
        assert_eq!(result.err().as_deref(), request.refusal, "{}", request.name);
    }
}
