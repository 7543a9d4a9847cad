//! Reads the examples out of the API's text: the curl line that is sent, and the answer that is expected.

use serde_json::Value;

const TEXT: &str = include_str!("../../contract/customer-api.txt");
const HOST: &str = "https://cybaaspace.com";
const PREFIX: &str = "/api/v1";

/// One example of the text.
#[derive(Debug, Clone)]
pub struct Example {
    pub method: String,
    /// As in the text, with `{placeholders}`.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub answer: Value,
}

impl Example {
    /// `GET /servers/{uuid}`
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path.strip_prefix(PREFIX).unwrap_or(&self.path))
    }
}

/// All of them, in the text's order.
pub fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = TEXT.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("curl ") {
            continue;
        }
        let mut command = line.to_owned();
        while command.ends_with('\\') {
            command.pop();
            command.push_str(lines.next().unwrap().trim_start());
        }
        let answer = lines.by_ref().skip_while(|line| *line != "Example response").nth(2).unwrap();
        found.push(example(&command, answer));
    }
    found
}

/// Routes that the text lists in columns, without an example.
pub fn listed() -> Vec<Example> {
    let route = |line: &str| {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        let known = ["GET", "POST", "DELETE"].contains(&method) && path.starts_with(PREFIX);
        known.then(|| Example {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
            answer: Value::Null,
        })
    };
    TEXT.lines().filter_map(route).collect()
}

/// The text's commands use single quotes only, and none inside of them.
fn example(command: &str, answer: &str) -> Example {
    let words: Vec<&str> = command.split('\'').collect();
    let (mut method, mut path, mut headers, mut body) = (None, None, Vec::new(), None);
    for pair in words.chunks(2) {
        let [before, quoted] = pair else { continue };
        match before.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["curl", "-X", verb] => {
                method = Some((*verb).to_owned());
                path = quoted.strip_prefix(HOST).map(str::to_owned);
            }
            ["-H"] => {
                let (name, value) = quoted.split_once(": ").unwrap();
                headers.push((name.to_owned(), value.to_owned()));
            }
            ["-d"] => body = Some((*quoted).to_owned()),
            other => panic!("not understood in `{command}`: {other:?}"),
        }
    }
    let answer = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{answer}: {error}"));
    Example { method: method.unwrap(), path: path.unwrap(), headers, body, answer }
}
