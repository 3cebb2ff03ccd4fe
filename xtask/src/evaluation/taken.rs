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
    /// The main program's, with all that it can execute, by its calls alone.
    pub main: usize,
    /// The main program's with arguments.
    pub main_arguments: usize,
}

impl Taken {
    /// Has a report judged, whose main program has this path: `judge` is what `confine cve --format json` tells with some
    /// more flags.
    pub fn count(main: &str, judge: impl Fn(&[&str]) -> anyhow::Result<Value>) -> anyhow::Result<Self> {
        let own = |flags: &[&str]| Ok::<_, anyhow::Error>(published(&judge(flags)?, "state"));
        Ok(Self {
            default: published(&judge(&[])?, "docker_default"),
            container: own(&["--args", "off"])?,
            container_arguments: own(&[])?,
            main: own(&["--program", main, "--args", "off"])?,
            main_arguments: own(&["--program", main])?,
        })
    }
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
        let judge = |flags: &[&str]| {
            let state = |taken| if taken { "taken-away" } else { "open" };
            let one = |published, taken| json!({ "published": published, "state": state(taken), "docker_default": "open" });
            let (of_main, by_arguments) = (flags.contains(&"/bin/server"), !flags.contains(&"off"));
            Ok(json!({ "vulnerabilities":
                [one(true, true), one(true, of_main), one(true, by_arguments), one(false, true)] }))
        };
        let expected = Taken {
            default: 0,
            container: 1,
            container_arguments: 2,
            main: 2,
            main_arguments: 3,
        };
        assert_eq!(Taken::count("/bin/server", judge).unwrap(), expected);
    }
}
