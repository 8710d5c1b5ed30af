//! YAML into a tree whose nodes know where they stand.
//!
//! Scalars mean what the core schema of YAML 1.2 says. Bounded before anything grows: depth, nodes (those that
//! an alias repeats, too) and documents. A key that stands twice in one mapping is an error, as are tags and
//! merge keys, which the API server does not take either.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, options};
use serde_json::{Map, Number, Value};
use zeroize::Zeroizing;

use super::problem::{Pointer, Problem};

/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most nodes of one file, those that aliases repeat included.
const MAX_NODES: usize = 500_000;

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) content: Content,
}

/// What a node is.
#[derive(Clone)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A kind alone: the content may be secret.
impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.kind())
    }
}

/// One entry of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) value: Node,
}

impl Content {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// The value of one key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The entries; none when it is no mapping.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items; none when it is no list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// The text, when it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same as JSON. Not for documents that hold values: the copy is not zeroed.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(truth) => Value::Bool(*truth),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.to_string()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where the field at `path` stands, or the deepest part of the path that is there. Items of lists are named
    /// by index or by their `name`, as field paths of the domain do.
    pub(super) fn find(&self, file: &Arc<str>, path: &str) -> Pointer {
        let mut at = Pointer {
            file: Arc::clone(file),
            line: self.line,
            column: self.column,
            field: None,
        };
        let mut node = self;
        for step in steps(path) {
            if let Some(entry) = node.entries().iter().find(|entry| entry.key == step) {
                (at.line, at.column) = (entry.line, entry.column);
                at.field = Some(entry.key.clone());
                node = &entry.value;
            } else if let Some(item) = item(node, step) {
                (at.line, at.column) = (item.line, item.column);
                at.field = None;
                node = item;
                // The first field of the item is what stands there.
                if let Some(first) = item.entries().first() {
                    at.field = Some(first.key.clone());
                }
            } else {
                break;
            }
        }
        at
    }
}

fn item<'a>(node: &'a Node, step: &str) -> Option<&'a Node> {
    let items = node.items();
    let named = || {
        let mut items = items.iter();
        items.find(|item| item.get("name").and_then(Node::text) == Some(step))
    };
    match step.parse::<usize>() {
        Ok(index) => items.get(index).or_else(named),
        Err(_) => named(),
    }
}

/// `spec.sources[0].path` → `spec`, `sources`, `0`, `path`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']')?;
            rest = after;
            return Some(step);
        }
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (step, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(step)
    })
}

/// Every document of `text`. The first problem ends it: what follows a mistake of syntax means nothing.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Node>, Problem> {
    let limits = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        file,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
    };
    for event in Parser::new_from_str_with_options(text, limits) {
        let (event, span) = event.map_err(|error| syntax(file, &error))?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

/// What the parser says is about the grammar, never about what stands there.
fn syntax(file: &Arc<str>, error: &ScanError) -> Problem {
    let mark = error.marker();
    let at = pointer(file, mark.line(), mark.col() + 1);
    Problem::new(Some(at), "", "is no YAML").hint(
        "Look at the indentation, the quotes and the colons around there; the parser's own words are left out, because they may quote a value",
    )
}

fn pointer(file: &Arc<str>, line: usize, column: usize) -> Pointer {
    Pointer {
        file: Arc::clone(file),
        line,
        column,
        field: None,
    }
}

/// A list or mapping that is still open.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<(String, usize, usize)>,
    /// The keys so far, and their lines.
    seen: HashMap<String, usize>,
}

struct Builder<'a> {
    file: &'a Arc<str>,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let node = |content| Node {
            line,
            column,
            content,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some_and(|tag| tag.core_suffix() != Some("str")) {
                    return Err(
                        self.problem(&node(Content::Null), "has a tag, which means nothing here")
                    );
                }
                let content = scalar(&text, style);
                self.close(node(content), anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.begin(node(Content::List(Vec::new())), anchor)
            }
            Event::MappingStart(_, anchor, _) => self.begin(node(Content::Map(Vec::new())), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.close(open.node, open.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(meant) = self.anchors.get(&anchor) else {
                    let message = "refers to something that contains it";
                    return Err(self.problem(&node(Content::Null), message));
                };
                self.nodes += count(meant);
                let repeated = meant.clone();
                self.close(repeated, 0)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn problem(&self, node: &Node, message: &str) -> Problem {
        Problem::new(
            Some(pointer(self.file, node.line, node.column)),
            "",
            message,
        )
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("is nested more than {MAX_DEPTH} levels deep");
            return Err(self.problem(&node, &message));
        }
        self.open.push(Open {
            node,
            anchor,
            key: None,
            seen: HashMap::new(),
        });
        Ok(())
    }

    /// A node is complete: it goes where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the file holds more than {MAX_NODES} nodes");
            return Err(self.problem(&node, &message));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut open.node.content, open.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some((key, line, column))) => entries.push(Entry {
                key,
                line,
                column,
                value: node,
            }),
            (Content::Map(_), None) => {
                let key = key(self.file, &node, &mut open.seen)?;
                open.key = Some((key, node.line, node.column));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The node as a key of a mapping that has the keys of `seen` already.
fn key(file: &Arc<str>, node: &Node, seen: &mut HashMap<String, usize>) -> Result<String, Problem> {
    let at = || Some(pointer(file, node.line, node.column));
    let key = match &node.content {
        Content::Text(text) => text.to_string(),
        Content::Number(number) => number.to_string(),
        Content::Bool(truth) => truth.to_string(),
        Content::Null | Content::List(_) | Content::Map(_) => {
            return Err(Problem::new(at(), "", "a key must be a text"));
        }
    };
    if key == "<<" {
        return Err(Problem::new(
            at(),
            "",
            "merge keys (`<<`) are not supported",
        ));
    }
    match seen.insert(key.clone(), node.line) {
        Some(first) => {
            let message = format!("the key stands twice: first in line {first}");
            Err(Problem::new(at(), "", message))
        }
        None => Ok(key),
    }
}

fn count(node: &Node) -> usize {
    let inner: usize = match &node.content {
        Content::List(items) => items.iter().map(count).sum(),
        Content::Map(entries) => entries.iter().map(|entry| 1 + count(&entry.value)).sum(),
        _ => 0,
    };
    inner + 1
}

/// What a scalar means in the core schema of YAML 1.2 (§10.3.2).
fn scalar(text: &str, style: ScalarStyle) -> Content {
    let written = || Content::Text(Zeroizing::new(text.to_owned()));
    if style != ScalarStyle::Plain {
        return written();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => number(text).map_or_else(written, Content::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = digits.bytes().next()?;
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let plain = text.strip_prefix('+').unwrap_or(text);
        return plain
            .parse::<i64>()
            .map(Number::from)
            .or_else(|_| plain.parse::<u64>().map(Number::from))
            .ok();
    }
    let looks_like_one = (first.is_ascii_digit() || first == b'.')
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !looks_like_one {
        return None;
    }
    Number::from_f64(text.parse::<f64>().ok()?)
}
