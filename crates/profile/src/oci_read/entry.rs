//! What one entry of a profile means.

use std::collections::BTreeSet;
use std::slice;

use confine_policy::{ARGUMENTS, Comparison, Conjunction, Masked, Rule};

use super::schema::{Condition, Entry, Filter};
use super::{MAXIMUM_ALTERNATIVES, ReadError};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is made.
    Permit,
    /// It is not, whatever the process gets instead.
    Deny,
    /// A supervisor or a tracer says.
    Elsewhere,
}

impl Decision {
    /// What an action does.
    pub fn parse(action: &str) -> Result<Self, ReadError> {
        match action {
            "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => Ok(Self::Permit),
            "SCMP_ACT_NOTIFY" | "SCMP_ACT_TRACE" => Ok(Self::Elsewhere),
            "SCMP_ACT_ERRNO"
            | "SCMP_ACT_KILL"
            | "SCMP_ACT_KILL_PROCESS"
            | "SCMP_ACT_KILL_THREAD"
            | "SCMP_ACT_TRAP" => Ok(Self::Deny),
            other => Err(ReadError::Action(other.to_owned())),
        }
    }
}

impl Entry {
    /// The calls that it speaks of; `at` is its place in the profile.
    pub fn names(&self, at: usize) -> Result<&[String], ReadError> {
        let names = match (&self.names, &self.name) {
            (Some(names), _) if !names.is_empty() => names.as_slice(),
            (_, Some(name)) => slice::from_ref(name),
            _ => &[],
        };
        match names.iter().any(String::is_empty) || names.is_empty() {
            true => Err(ReadError::Nameless(at)),
            false => Ok(names),
        }
    }

    /// Under which arguments it holds; `None` if that takes too many alternatives to tell.
    pub fn conditions(&self, call: &str) -> Result<Option<Rule>, ReadError> {
        let mut rules = Vec::new();
        let mut indices = BTreeSet::new();
        let mut repeats = false;
        for condition in self.args.iter().flatten() {
            repeats |= !indices.insert(condition.index);
            rules.push(rule(condition, call)?);
        }
        if repeats {
            let each = rules.iter().flat_map(Rule::alternatives).copied();
            let each: BTreeSet<Conjunction> = each.collect();
            let few = each.len() <= MAXIMUM_ALTERNATIVES;
            return Ok(few.then(|| each.into_iter().collect()));
        }
        let mut all = Rule::any();
        for rule in &rules {
            if all.alternatives().count() * rule.alternatives().count() > MAXIMUM_ALTERNATIVES {
                return Ok(None);
            }
            all = all.intersection(rule);
        }
        Ok(Some(all))
    }

    /// Whether it depends on anything but the call.
    pub fn depends(&self) -> bool {
        let filters = self.includes.iter().chain(&self.excludes);
        filters.into_iter().any(|filter| {
            let caps = filter.caps.iter().flatten().count();
            let arches = filter.arches.iter().flatten().count();
            caps + arches > 0 || filter.min_kernel.is_some()
        })
    }

    /// Whether Docker takes it for a container with these capabilities on x86-64 and the newest kernel.
    pub fn applies(&self, capabilities: &[&str]) -> Result<bool, ReadError> {
        let has = |name: &String| capabilities.contains(&name.as_str());
        let native = |name: &String| name == "amd64";
        let mut applies = true;
        if let Some(filter) = &self.includes {
            let mut arches = filter.arches.iter().flatten().peekable();
            applies &= arches.peek().is_none() || arches.any(native);
            applies &= filter.caps.iter().flatten().all(has);
            filter.check_kernel()?;
        }
        if let Some(filter) = &self.excludes {
            applies &= !filter.arches.iter().flatten().any(native);
            applies &= !filter.caps.iter().flatten().any(has);
            applies &= !filter.check_kernel()?;
        }
        Ok(applies)
    }
}

impl Filter {
    /// Whether there is a least kernel version, which the newest kernel has.
    fn check_kernel(&self) -> Result<bool, ReadError> {
        let Some(version) = &self.min_kernel else {
            return Ok(false);
        };
        let numbers = version.split_once('.');
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        match numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor)) {
            true => Ok(true),
            false => Err(ReadError::KernelVersion(version.clone())),
        }
    }
}

fn rule(condition: &Condition, call: &str) -> Result<Rule, ReadError> {
    let index = usize::try_from(condition.index)
        .ok()
        .filter(|index| *index < ARGUMENTS);
    let index = index.ok_or_else(|| ReadError::Index {
        call: call.to_owned(),
        index: condition.index,
    })?;
    let comparison = match condition.op.as_str() {
        "SCMP_CMP_MASKED_EQ" => {
            let masked = Masked::new(condition.value, condition.value_two);
            return Ok(Conjunction::one(index, masked).into_iter().collect());
        }
        "SCMP_CMP_EQ" => Comparison::Equal,
        "SCMP_CMP_NE" => Comparison::NotEqual,
        "SCMP_CMP_LT" => Comparison::Less,
        "SCMP_CMP_LE" => Comparison::LessOrEqual,
        "SCMP_CMP_GT" => Comparison::Greater,
        "SCMP_CMP_GE" => Comparison::GreaterOrEqual,
        other => {
            return Err(ReadError::Comparison {
                call: call.to_owned(),
                found: other.to_owned(),
            });
        }
    };
    Ok(Rule::compared(index, comparison, condition.value))
}
