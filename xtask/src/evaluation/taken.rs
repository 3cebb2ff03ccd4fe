//! How many vulnerabilities of the kernel policies put out of reach.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::list;

/// Of the 42 vulnerabilities that published figures count, how many each policy takes away, as `confine cve` judges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Docker's default profile, which is what a container has today.
    pub default: usize,
    /// The container's, by its calls alone.
    pub container: usize,
    /// The container's with arguments: its profile.
    pub container_arguments: usize,
    /// The main program's, by its own calls alone.
    pub main: usize,
    /// The main program's with arguments.
    pub main_arguments: usize,
    /// What a hardened image installs when the main program starts: with all that it can execute.
    pub installed: usize,
}

impl Taken {
    /// Has a report judged, whose main program has this path: `whole` and `alone` are what `confine cve --format json` tells
    /// with some more flags of the report and of the same [`executing_nothing`].
    pub fn count(
        main: &str,
        whole: impl Fn(&[&str]) -> anyhow::Result<Value>,
        alone: impl Fn(&[&str]) -> anyhow::Result<Value>,
    ) -> anyhow::Result<Self> {
        let profile = whole(&[])?;
        Ok(Self {
            default: published(&profile, "docker_default"),
            container: published(&whole(&["--args", "off"])?, "state"),
            container_arguments: published(&profile, "state"),
            main: published(&alone(&["--program", main, "--args", "off"])?, "state"),
            main_arguments: published(&alone(&["--program", main])?, "state"),
            installed: published(&whole(&["--program", main])?, "state"),
        })
    }
}

/// The report as it would be if no program executed another one.
pub fn executing_nothing(report: &Value) -> Value {
    let mut alone = report.clone();
    let programs = alone["programs"].as_array_mut().into_iter().flatten();
    for program in programs {
        program["executes"] = Value::Array(Vec::new());
        program["executes_unknown"] = false.into();
    }
    alone
}

/// The published ones that the policy of that field takes away.
fn published(judged: &Value, field: &str) -> usize {
    let all = list(judged, "vulnerabilities").iter();
    all.filter(|one| one["published"] == true && one[field] == "taken-away")
        .count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_policy_is_judged_by_itself() {
        let judge = |alone: bool, flags: &[&str]| {
            let state = |taken| if taken { "taken-away" } else { "open" };
            let one = |published, taken| json!({ "published": published, "state": state(taken), "docker_default": "open" });
            let of_main = flags.contains(&"/bin/server");
            let by_arguments = !flags.contains(&"off");
            Ok(json!({ "vulnerabilities": [
                one(true, true), one(true, of_main), one(true, alone), one(true, by_arguments), one(false, true),
            ] }))
        };
        let expected = Taken {
            default: 0,
            container: 1,
            container_arguments: 2,
            main: 3,
            main_arguments: 4,
            installed: 3,
        };
        let taken = Taken::count(
            "/bin/server",
            |flags| judge(false, flags),
            |flags| judge(true, flags),
        );
        assert_eq!(taken.unwrap(), expected);
    }

    #[test]
    fn a_program_alone_executes_nothing() {
        let report = |executes: &[usize], unknown: bool| json!({ "programs": [{ "path": "/bin/server", "executes": executes, "executes_unknown": unknown }] });
        assert_eq!(executing_nothing(&report(&[1], true)), report(&[], false));
    }
}
