//! Reads metrics as strictly as the tools of Prometheus do, and complains about what they
//! complain about.

use std::collections::{BTreeMap, BTreeSet};

use baton_metrics::TextForm;

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A text that has passed all checks.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) samples: Vec<Sample>,
    /// Type by family.
    pub(crate) types: BTreeMap<String, String>,
}

impl Exposition {
    /// The value of a sample; its labels must be these and no others.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let mut samples = self.samples.iter();
        let found = samples.find(|sample| sample.name == name && sample.labels == labels);
        found.map(|sample| sample.value)
    }

    /// How many samples have this name.
    pub(crate) fn count(&self, name: &str) -> usize {
        let samples = self.samples.iter();
        samples.filter(|sample| sample.name == name).count()
    }
}

/// Reads a text; panics with what is wrong.
#[track_caller]
pub(crate) fn checked(text: &str, form: TextForm) -> Exposition {
    match check(text, form) {
        Ok(exposition) => exposition,
        Err(complaint) => panic!("{complaint}\n{text}"),
    }
}

/// Reads a text.
pub(crate) fn check(text: &str, form: TextForm) -> Result<Exposition, String> {
    let is_open = form == TextForm::OpenMetrics;
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut lines: Vec<&str> = text.lines().collect();
    if is_open && lines.pop() != Some("# EOF") {
        return Err("the last line is not `# EOF`".to_owned());
    }
    let mut reader = Reader {
        is_open,
        samples: Vec::new(),
        known: BTreeSet::new(),
        types: BTreeMap::new(),
        helped: BTreeSet::new(),
        finished: BTreeSet::new(),
        current: None,
    };
    for line in lines {
        reader
            .line(line)
            .map_err(|complaint| format!("{complaint}: {line}"))?;
    }
    reader.end()
}

struct Reader {
    is_open: bool,
    samples: Vec<Sample>,
    known: BTreeSet<(String, BTreeMap<String, String>)>,
    types: BTreeMap<String, String>,
    helped: BTreeSet<String>,
    /// Families whose lines have ended: they must not come again.
    finished: BTreeSet<String>,
    current: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.trim() != line {
            return Err("an empty line, or one with spaces around it".to_owned());
        }
        let Some(comment) = line.strip_prefix("# ") else {
            return self.sample(line);
        };
        let mut words = comment.splitn(3, ' ');
        let (keyword, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let rest = words.next().unwrap_or("");
        if !is_name(name) {
            return Err("not a name of a metric".to_owned());
        }
        match keyword {
            "HELP" => self.help(name, rest),
            "TYPE" => self.kind(name, rest),
            "UNIT" if self.is_open && name.ends_with(&format!("_{rest}")) => Ok(()),
            _ => Err("an unknown comment, or a unit that is not in the name".to_owned()),
        }
    }

    fn help(&mut self, name: &str, text: &str) -> Result<(), String> {
        if let Some(last) = self.current.replace(name.to_owned()) {
            self.finished.insert(last);
        }
        if self.finished.contains(name) {
            return Err("the lines of a family are not together".to_owned());
        }
        if text.is_empty() || !self.helped.insert(name.to_owned()) {
            return Err("no help, or twice".to_owned());
        }
        Ok(())
    }

    fn kind(&mut self, name: &str, kind: &str) -> Result<(), String> {
        if self.current.as_deref() != Some(name) {
            return Err("TYPE without HELP before it".to_owned());
        }
        let is_known = match kind {
            "counter" | "gauge" | "histogram" => true,
            "info" => self.is_open,
            _ => false,
        };
        if !is_known {
            return Err("an unknown type".to_owned());
        }
        if !self.is_open && (kind == "counter") != name.ends_with("_total") {
            return Err("counters, and they alone, end in _total".to_owned());
        }
        match self.types.insert(name.to_owned(), kind.to_owned()) {
            None => Ok(()),
            Some(_) => Err("TYPE twice".to_owned()),
        }
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let family = self.current.clone().ok_or("a sample before HELP")?;
        let kind = self.types.get(&family).ok_or("a sample before TYPE")?;
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let suffix = name
            .strip_prefix(&*family)
            .ok_or("a sample of another family")?;
        let fits = match &**kind {
            "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
            "counter" if self.is_open => suffix == "_total",
            "info" => suffix == "_info",
            _ => suffix.is_empty(),
        };
        if !fits {
            return Err(format!("not a name of a sample of a {kind}"));
        }
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (BTreeMap::new(), rest),
        };
        let value = value.strip_prefix(' ').ok_or("no space before the value")?;
        let value = number(value).ok_or("not a number")?;
        if value < 0.0 && kind != "gauge" {
            return Err("a negative number".to_owned());
        }
        if (suffix == "_bucket") != labels.contains_key("le") {
            return Err("buckets, and they alone, have the label `le`".to_owned());
        }
        if !self.known.insert((name.to_owned(), labels.clone())) {
            return Err("a duplicate series".to_owned());
        }
        self.samples.push(Sample {
            name: name.to_owned(),
            labels,
            value,
        });
        Ok(())
    }

    fn end(self) -> Result<Exposition, String> {
        let Self { samples, types, .. } = self;
        for (family, kind) in &types {
            let mut named = samples.iter();
            if !named.any(|sample| sample.name.starts_with(&**family)) {
                return Err(format!("{family} has no sample"));
            }
            if kind == "histogram" {
                histogram(family, &samples)?;
            }
        }
        Ok(Exposition { samples, types })
    }
}

/// Buckets are cumulative and end with +Inf, whose value is the count.
fn histogram(family: &str, samples: &[Sample]) -> Result<(), String> {
    let of_suffix = |suffix: &str| {
        let name = format!("{family}{suffix}");
        samples.iter().filter(move |sample| sample.name == name)
    };
    let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in of_suffix("_bucket") {
        let mut labels = sample.labels.clone();
        let bound = labels.remove("le").ok_or("no bound")?;
        let bound = number(&bound).ok_or("a bound is not a number")?;
        series
            .entry(labels)
            .or_default()
            .push((bound, sample.value));
    }
    if of_suffix("_count").count() != series.len() || of_suffix("_sum").count() != series.len() {
        return Err(format!("{family} has counts or sums without buckets"));
    }
    for (labels, buckets) in series {
        if !buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) {
            return Err(format!("buckets of {family} are not cumulative"));
        }
        let count = of_suffix("_count").find(|sample| sample.labels == labels);
        let last = count.map(|count| (f64::INFINITY, count.value));
        if buckets.last().copied() != last {
            return Err(format!("+Inf of {family} is not its count"));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    chars.next().is_some_and(first) && chars.all(|c| first(c) || c.is_ascii_digit())
}

fn is_label(name: &str) -> bool {
    is_name(name) && !name.contains(':') && !name.starts_with("__")
}

/// Labels up to the closing brace, and what follows it.
fn labels(text: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no value of a label")?;
        if !is_label(name) {
            return Err("not a name of a label".to_owned());
        }
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().ok_or("a label has no end")? {
                (at, '"') => break at,
                (_, '\\') => match chars.next() {
                    Some((_, c @ ('\\' | '"'))) => value.push(c),
                    Some((_, 'n')) => value.push('\n'),
                    _ => return Err("an unknown escape".to_owned()),
                },
                (_, c) => value.push(c),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return Err("a label twice".to_owned());
        }
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        rest = rest.strip_prefix(',').ok_or("no comma between labels")?;
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        text if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.parse().ok(),
        _ => None,
    }
}

const GOOD: &str = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 1\n\
    # HELP h H.\n# TYPE h histogram\nh_sum 3.5\nh_count 2\nh_bucket{le=\"1.0\"} 1\n\
    h_bucket{le=\"+Inf\"} 2\n";

#[test]
fn what_is_wrong_is_found() {
    let good = checked(GOOD, TextForm::Prometheus);
    assert_eq!(good.value("a_total", &[("x", "1")]), Some(1.0));
    let one = "a_total{x=\"1\"} 1\n";
    for (from, to) in [
        ("# HELP a_total A.\n", ""),
        ("# TYPE a_total counter\n", ""),
        ("# TYPE a_total counter\n", "# TYPE a_total thing\n"),
        ("# TYPE a_total counter\n", "# TYPE a_total gauge\n"),
        (one, ""),
        (one, "a_total{x=\"1\"} 1\na_total{x=\"1\"} 2\n"),
        (one, "a_total{x=\"1\"} -1\n"),
        (one, "a_total{x=\"1\"} one\n"),
        (one, "b_total{x=\"1\"} 1\n"),
        ("x=\"1\"", "x=1"),
        ("x=\"1\"", "x=\"1"),
        ("x=\"1\"", "x=\"\\t\""),
        ("x=\"1\"", "x-y=\"1\""),
        ("x=\"1\"", "x=\"1\",x=\"2\""),
        ("h_sum 3.5\n", ""),
        ("h_count 2\n", "h_count 3\n"),
        ("h_bucket{le=\"1.0\"} 1\n", "h_bucket{le=\"1.0\"} 3\n"),
        ("h_bucket{le=\"+Inf\"} 2\n", ""),
        ("h_count 2\n", "h_count 2\n\n"),
        ("h_bucket{le=\"+Inf\"} 2\n", "h_bucket{le=\"+Inf\"} 2"),
    ] {
        let bad = GOOD.replacen(from, to, 1);
        assert_ne!(bad, GOOD);
        assert!(check(&bad, TextForm::Prometheus).is_err(), "{bad}");
    }
    assert!(check(GOOD, TextForm::OpenMetrics).is_err());
}
