//! A check as SARIF 2.1.0, which code scanning services read: a result for each difference and each denied call.

use confine_report::sarif::{document, uri};
use serde_json::{Value, json};

use crate::compare::{Difference, Kind};
use crate::denied::{Denied, Foreseen};
use crate::text::{denied_line, difference_line};
use crate::verdict::Checked;

/// The check as SARIF, with a line break at its end; `version` is that of confine.
///
/// # Errors
/// When it cannot be written as JSON, which does not happen with what is in it.
pub fn sarif(checked: &Checked, version: &str, tolerate_denied: bool) -> Result<String, serde_json::Error> {
    let mut results = Vec::new();
    for verdict in &checked.verdicts {
        let place = |difference: &Difference| difference_result(checked, &verdict.policy, difference);
        results.extend(verdict.differences.iter().map(place));
        let place = |denied: &Denied| denied_result(checked, &verdict.policy, denied, tolerate_denied);
        results.extend(verdict.denied.iter().map(place));
    }
    let rules: Vec<Value> = RULES
        .iter()
        .map(|(id, text)| json!({ "id": id, "shortDescription": { "text": text } }))
        .collect();
    document(version, &rules, &results)
}

/// What can be found, each with its meaning.
const RULES: [(&str, &str); 5] = [
    ("outcome-differs", "A step ends in another way under the policy"),
    ("output-differs", "A step prints something else under the policy"),
    (
        "log-differs",
        "The container logs something else under the policy",
    ),
    (
        "call-denied",
        "The policy denies a call that the image's programs make",
    ),
    (
        "call-not-foreseen",
        "The policy denies a call that the analysis did not find",
    ),
];

fn difference_result(checked: &Checked, policy: &str, difference: &Difference) -> Value {
    let rule = match difference.kind {
        Kind::Outcome => "outcome-differs",
        Kind::Output => "output-differs",
        Kind::Log => "log-differs",
    };
    result(checked, policy, rule, "error", &difference_line(difference), &[])
}

fn denied_result(checked: &Checked, policy: &str, denied: &Denied, tolerated: bool) -> Value {
    let rule = match denied.foreseen {
        Foreseen::Yes | Foreseen::WithoutArguments | Foreseen::NotAsked => "call-denied",
        Foreseen::OtherArguments | Foreseen::No | Foreseen::UnknownProgram => "call-not-foreseen",
    };
    let level = if tolerated { "note" } else { "error" };
    let mut message = denied_line(denied);
    for arguments in &denied.arguments {
        message.push_str(&format!("; {}({arguments})", denied.call));
    }
    let places: Vec<String> = denied
        .sites
        .iter()
        .map(|site| format!("{} in {}", site.function, site.object))
        .collect();
    result(checked, policy, rule, level, &message, &places)
}

/// A result lies in a policy; where in the image it comes from, its logical places tell.
fn result(
    checked: &Checked,
    policy: &str,
    rule: &str,
    level: &str,
    message: &str,
    places: &[String],
) -> Value {
    let names: Vec<Value> = std::iter::once(&checked.image)
        .chain(places)
        .map(|name| json!({ "fullyQualifiedName": name }))
        .collect();
    json!({
        "ruleId": rule,
        "level": level,
        "message": { "text": message },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": uri(policy) } },
            "logicalLocations": names,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::checked;

    #[test]
    fn every_finding_is_a_result_of_a_rule() {
        let log: Value = serde_json::from_str(&sarif(&checked(), "0.1.0", false).unwrap()).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap();
        let rules: Vec<&str> = results
            .iter()
            .map(|result| result["ruleId"].as_str().unwrap())
            .collect();
        assert_eq!(rules, ["outcome-differs", "log-differs", "call-denied"]);
        let known: Vec<&str> = RULES.iter().map(|(id, _)| *id).collect();
        assert!(rules.iter().all(|rule| known.contains(rule)));
        assert_eq!(
            results[2]["locations"][0]["logicalLocations"][1]["fullyQualifiedName"],
            "listen_on in /usr/bin/server"
        );
        let tolerated: Value = serde_json::from_str(&sarif(&checked(), "0.1.0", true).unwrap()).unwrap();
        assert_eq!(tolerated["runs"][0]["results"][2]["level"], "note");
    }
}
