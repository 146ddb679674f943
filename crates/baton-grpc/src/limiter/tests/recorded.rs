//! Calls of the Go SDK with what it asked and reported around them, as recorded on
//! the wire (`tests/fixtures/limited-calls.tsv`, in hexadecimal).

use baton_proto::Code;

use super::Script;
use crate::Status;

const RECORDED: &str = include_str!("../../../tests/fixtures/limited-calls.tsv");

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.trim_matches('-').as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn recorded_calls_are_asked_for_and_reported_with_the_same_bytes() {
    let mut methods = Vec::new();
    for line in RECORDED.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [run, n, path, request, code, asked, reported] = columns[..] else {
            panic!("not seven columns: {line}");
        };
        let answer = match code {
            "0" => Ok([].as_slice()),
            code => {
                let code = Code::from_number(code.parse().unwrap()).unwrap();
                Err(Status::new(code, "recorded"))
            }
        };
        let script = Script::default();
        let result = script.call(path, &bytes(request), answer).await;
        assert_eq!(result.is_ok(), code == "0");
        let encoded: Vec<Vec<u8>> = script.asked.lock().unwrap().iter().map(encode).collect();
        assert_eq!(encoded, [bytes(asked)], "{run} {n}: Do");
        let encoded: Vec<Vec<u8>> = script.reports().iter().map(encode).collect();
        let expected: Vec<Vec<u8>> = match reported {
            "-" => Vec::new(),
            reported => vec![bytes(reported)],
        };
        assert_eq!(encoded, expected, "{run} {n}: Report");
        methods.push(path);
    }
    methods.dedup();
    assert!(methods.len() > 20, "{methods:?}");
}

fn encode(message: &impl prost::Message) -> Vec<u8> {
    message.encode_to_vec()
}
