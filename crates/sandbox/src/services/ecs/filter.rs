//! The cluster query language, as far as it speaks of container instances.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>. An expression that AWS would
//! take and this double does not know is refused, never ignored.

use serde::{Deserialize, Serialize};

/// What `attribute:NAME != value` says of an instance that has no such attribute. AWS does not document it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingAttribute {
    /// Nothing to compare: the instance is left out.
    #[default]
    NeverMatches,
    /// What is not there is not equal: the instance is in.
    DiffersFromAny,
}

/// What a filter is asked about.
pub(super) trait Subject {
    /// `None` when there is no such attribute; empty when it has no value.
    fn attribute(&self, name: &str) -> Option<&str>;
    fn agent_connected(&self) -> bool;
    fn ec2_instance_id(&self) -> &str;
    fn running_tasks(&self) -> u32;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Exists(String),
    Compare { field: Field, comparison: Comparison },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Attribute(String),
    AgentConnected,
    Ec2InstanceId,
    RunningTasksCount,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals(String),
    Differs(String),
    In(Vec<String>),
}

impl Filter {
    /// Reads an expression; the error says where it went wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text), position: 0 };
        let filter = parser.or()?;
        match parser.next() {
            None => Ok(filter),
            Some(token) => Err(format!("unexpected `{token}`")),
        }
    }

    pub(super) fn keeps(&self, subject: &impl Subject, missing: MissingAttribute) -> bool {
        match self {
            Self::Or(any) => any.iter().any(|filter| filter.keeps(subject, missing)),
            Self::And(all) => all.iter().all(|filter| filter.keeps(subject, missing)),
            Self::Not(filter) => !filter.keeps(subject, missing),
            Self::Exists(name) => subject.attribute(name).is_some(),
            Self::Compare { field, comparison } => {
                let value = match field {
                    Field::Attribute(name) => subject.attribute(name).map(str::to_owned),
                    Field::AgentConnected => Some(subject.agent_connected().to_string()),
                    Field::Ec2InstanceId => Some(subject.ec2_instance_id().to_owned()),
                    Field::RunningTasksCount => Some(subject.running_tasks().to_string()),
                };
                match (comparison, value) {
                    (Comparison::Equals(wanted), Some(value)) => value == *wanted,
                    (Comparison::Differs(unwanted), Some(value)) => value != *unwanted,
                    (Comparison::In(wanted), Some(value)) => wanted.contains(&value),
                    (Comparison::Equals(_) | Comparison::In(_), None) => false,
                    (Comparison::Differs(_), None) => missing == MissingAttribute::DiffersFromAny,
                }
            }
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.trim_start().chars().next() {
        rest = rest.trim_start();
        let end = if "()[],".contains(first) {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || "()[],".contains(c)).unwrap_or(rest.len())
        };
        tokens.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    tokens
}

struct Parser {
    tokens: Vec<String>,
    position: usize,
}

impl Parser {
    fn next(&mut self) -> Option<String> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    fn takes(&mut self, spellings: [&str; 2]) -> bool {
        let is_next = self.tokens.get(self.position).is_some_and(|token| spellings.contains(&token.as_str()));
        self.position += usize::from(is_next);
        is_next
    }

    fn or(&mut self) -> Result<Filter, String> {
        let mut any = vec![self.and()?];
        while self.takes(["or", "||"]) {
            any.push(self.and()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Filter::Or(any) })
    }

    fn and(&mut self) -> Result<Filter, String> {
        let mut all = vec![self.not()?];
        while self.takes(["and", "&&"]) {
            all.push(self.not()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn not(&mut self) -> Result<Filter, String> {
        if self.takes(["not", "!"]) {
            return Ok(Filter::Not(Box::new(self.not()?)));
        }
        if self.takes(["(", "("]) {
            let inner = self.or()?;
            return if self.takes([")", ")"]) {
                Ok(inner)
            } else {
                Err("a parenthesis is not closed".into())
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let subject = self.next().ok_or("the expression is cut off")?;
        let field = match subject.as_str() {
            "agentConnected" => Field::AgentConnected,
            "ec2InstanceId" => Field::Ec2InstanceId,
            "runningTasksCount" => Field::RunningTasksCount,
            other => match other.strip_prefix("attribute:") {
                Some(name) if !name.is_empty() => Field::Attribute(name.to_owned()),
                Some(_) | None => return Err(format!("the sandbox does not model the subject `{other}`")),
            },
        };
        let operator = self.next().ok_or_else(|| format!("`{subject}` is compared with nothing"))?;
        let comparison = match (operator.as_str(), &field) {
            ("exists", Field::Attribute(name)) => return Ok(Filter::Exists(name.clone())),
            ("!exists" | "not_exists", Field::Attribute(name)) => {
                return Ok(Filter::Not(Box::new(Filter::Exists(name.clone()))));
            }
            ("==" | "equals", _) => Comparison::Equals(self.value()?),
            ("!=" | "not_equals", _) => Comparison::Differs(self.value()?),
            ("in", _) => Comparison::In(self.list()?),
            (other, _) => return Err(format!("the sandbox does not model the operator `{other}`")),
        };
        Ok(Filter::Compare { field, comparison })
    }

    fn value(&mut self) -> Result<String, String> {
        match self.next() {
            Some(token) if !["(", ")", "[", "]", ","].contains(&token.as_str()) => Ok(token),
            Some(token) => Err(format!("`{token}` where a value has to be")),
            None => Err("a value is missing".into()),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        if !self.takes(["[", "["]) {
            return Err("`in` needs a list in brackets".into());
        }
        let mut values = vec![self.value()?];
        while self.takes([",", ","]) {
            values.push(self.value()?);
        }
        if self.takes(["]", "]"]) { Ok(values) } else { Err("a bracket is not closed".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Instance(&'static [(&'static str, &'static str)]);

    impl Subject for Instance {
        fn attribute(&self, name: &str) -> Option<&str> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        }
        fn agent_connected(&self) -> bool {
            true
        }
        fn ec2_instance_id(&self) -> &'static str {
            "i-1"
        }
        fn running_tasks(&self) -> u32 {
            2
        }
    }

    #[test]
    fn expressions_are_read_as_aws_documents_them() {
        let with = Instance(&[("a.b", "x"), ("flag", "")]);
        let without = Instance(&[]);
        for (text, of_with, of_without) in [
            ("attribute:a.b == x", true, false),
            ("attribute:a.b equals y", false, false),
            ("attribute:a.b exists", true, false),
            ("attribute:flag exists", true, false),
            ("attribute:a.b not_exists", false, true),
            ("attribute:a.b !exists or agentConnected == false", false, true),
            ("attribute:a.b not_exists or attribute:a.b != y", true, true),
            ("not (attribute:a.b == x and agentConnected == true)", false, true),
            ("attribute:a.b in [x, y]", true, false),
            ("ec2InstanceId == i-1 && runningTasksCount == 2", true, true),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.keeps(&with, MissingAttribute::NeverMatches), of_with, "{text}");
            assert_eq!(filter.keeps(&without, MissingAttribute::NeverMatches), of_without, "{text}");
        }
    }

    #[test]
    fn what_differs_means_without_the_attribute_is_data() {
        let filter = Filter::parse("attribute:a != x").unwrap();
        assert!(!filter.keeps(&Instance(&[]), MissingAttribute::NeverMatches));
        assert!(filter.keeps(&Instance(&[]), MissingAttribute::DiffersFromAny));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "attribute:a",
            "attribute:a ~= b",
            "(attribute:a exists",
            "task:group == x",
            "attribute:a == b c",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
