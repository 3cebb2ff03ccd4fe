//! The C library's name services: which modules answer for which database, and by which functions.
//!
//! One table, [`DATABASES`], after glibc's nss/databases.def and the functions that each database's callers look up
//! (nss/getXXbyYY.c and its users, glibc 2.36): a service's function is `_nss_SERVICE_FUNCTION`, in
//! `libnss_SERVICE.so.2` or, for the services `files` and `dns` since glibc 2.34, in the C library itself. There those
//! functions are named in tables that every look-up walks, so naming one does not mean that it is called: that
//! depends on the configuration alone ([`is_service_function`]).

use confine_image::Files;

use crate::configuration;
use crate::opaque::matches;

/// One database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Database {
    /// Its name in `/etc/nsswitch.conf`.
    pub name: &'static str,
    /// Functions of the C library that ask it; one that ends in `*` stands for all that begin like it.
    pub triggers: &'static [&'static str],
    /// How the names of a service's functions for it begin, after `_nss_SERVICE_`.
    functions: &'static [&'static str],
    /// The services of a database that the configuration does not name, in one release or another.
    default: &'static [&'static str],
}

/// What the older releases ask where nothing is configured, and the newer ones.
const LOCAL: &[&str] = &["compat", "files", "nis"];
const NETWORK: &[&str] = &["dns", "files"];

/// All databases.
pub const DATABASES: [Database; 14] = [
    database(
        "passwd",
        &["getpw*", "setpwent", "endpwent"],
        &["getpw", "setpw", "endpw"],
        LOCAL,
    ),
    database(
        "group",
        &["getgrnam*", "getgrgid*", "getgrent*", "setgrent", "endgrent"],
        &["getgr", "setgr", "endgr"],
        LOCAL,
    ),
    database(
        "initgroups",
        &["getgrouplist", "initgroups"],
        &["initgroups", "getgr", "setgr", "endgr"],
        LOCAL,
    ),
    database(
        "shadow",
        &["getsp*", "setspent", "endspent"],
        &["getsp", "setsp", "endsp"],
        LOCAL,
    ),
    database(
        "gshadow",
        &["getsg*", "setsgent", "endsgent"],
        &["getsg", "setsg", "endsg"],
        LOCAL,
    ),
    database(
        "hosts",
        &[
            "getaddrinfo",
            "getnameinfo",
            "gethostby*",
            "gethostent*",
            "gethostid",
            "sethostent",
            "endhostent",
        ],
        &["gethost", "sethost", "endhost", "getcanonname"],
        NETWORK,
    ),
    database(
        "networks",
        &["getnetby*", "getnetent*", "setnetent", "endnetent"],
        &["getnetby", "getnetent", "setnetent", "endnetent"],
        NETWORK,
    ),
    database(
        "netgroup",
        &["getnetgrent*", "setnetgrent", "endnetgrent", "innetgr"],
        &["getnetgrent", "setnetgrent", "endnetgrent"],
        LOCAL,
    ),
    database(
        "protocols",
        &["getproto*", "setprotoent", "endprotoent"],
        &["getproto", "setproto", "endproto"],
        LOCAL,
    ),
    database(
        "services",
        &[
            "getserv*",
            "setservent",
            "endservent",
            "getaddrinfo",
            "getnameinfo",
        ],
        &["getserv", "setserv", "endserv"],
        LOCAL,
    ),
    database(
        "rpc",
        &["getrpc*", "setrpcent", "endrpcent"],
        &["getrpc", "setrpc", "endrpc"],
        LOCAL,
    ),
    database(
        "aliases",
        &["getalias*", "setaliasent", "endaliasent"],
        &["getalias", "setalias", "endalias"],
        LOCAL,
    ),
    database(
        "ethers",
        &["ether_hostton", "ether_ntohost"],
        &["gethostton", "getntohost", "getether", "setether", "endether"],
        LOCAL,
    ),
    database(
        "publickey",
        &["getpublickey", "getsecretkey", "netname2user"],
        &["getpublickey", "getsecretkey", "netname2user"],
        &["nis", "nisplus"],
    ),
];

/// Functions that look up in whatever database they are given.
const TRIGGERS_OF_ALL: [&str; 2] = ["__nss_configure_lookup", "__nss_database_lookup"];

const fn database(
    name: &'static str,
    triggers: &'static [&'static str],
    functions: &'static [&'static str],
    default: &'static [&'static str],
) -> Database {
    Database {
        name,
        triggers,
        functions,
        default,
    }
}

impl Database {
    /// Whether a function of the C library asks this database.
    #[must_use]
    pub fn is_asked_by(&self, function: &str) -> bool {
        TRIGGERS_OF_ALL.contains(&function) || self.triggers.iter().any(|trigger| matches(trigger, function))
    }

    /// The services that answer for it in this image: (service, how the names of its functions begin), sorted.
    #[must_use]
    pub fn services(&self, files: &dyn Files) -> Vec<(String, Vec<String>)> {
        let text = configuration::text(files, "/etc/nsswitch.conf").unwrap_or_default();
        let mut services = named_for(&text, self.name).unwrap_or_else(|| match self.name {
            // A group database answers for it as well.
            "initgroups" => named_for(&text, "group").unwrap_or_else(|| owned(self.default)),
            _ => owned(self.default),
        });
        if services.iter().any(|service| service == "compat") {
            // It looks up `+` entries at services of its own.
            let compatible = named_for(&text, &format!("{}_compat", self.name));
            services.extend(compatible.unwrap_or_else(|| vec!["nis".to_owned()]));
        }
        services.sort();
        services.dedup();
        let beginnings = |service: &str| {
            let functions = self.functions.iter().chain(&["init"]);
            functions
                .map(|function| format!("_nss_{service}_{function}"))
                .collect()
        };
        services
            .into_iter()
            .map(|service| (beginnings(&service), service))
            .map(|(beginnings, service)| (service, beginnings))
            .collect()
    }
}

/// Whether a function that the C library exports belongs to a service: it is called if the configuration says so.
#[must_use]
pub fn is_service_function(name: &str) -> bool {
    ["_nss_files_", "_nss_dns_"]
        .iter()
        .any(|beginning| name.starts_with(beginning))
        && !name.contains("_parse_")
}

fn owned(services: &[&str]) -> Vec<String> {
    services.iter().map(|service| (*service).to_owned()).collect()
}

/// The services that the configuration's lines for a database name; `None` if there is no such line.
fn named_for(text: &str, database: &str) -> Option<Vec<String>> {
    let lines = text.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let (name, services) = line.split_once(':')?;
        (name.trim() == database).then_some(services)
    });
    lines.map(services_of).reduce(|mut all, more| {
        all.extend(more);
        all
    })
}

/// The services of `service [STATUS=action] service`.
fn services_of(services: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_action = false;
    for word in services
        .replace('[', " [ ")
        .replace(']', " ] ")
        .split_whitespace()
    {
        let is_name = |word: &str| {
            word.chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter))
        };
        match word {
            "[" => in_action = true,
            "]" => in_action = false,
            name if !in_action && is_name(name) => names.push(name.to_owned()),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use confine_image::MemoryFiles;

    use super::*;

    fn check(configuration: &'static str, database: &str, expected: &[&str]) {
        let files = MemoryFiles::new().file("/etc/nsswitch.conf", configuration);
        let database = DATABASES.iter().find(|row| row.name == database);
        let services = database
            .map(|database| database.services(&files))
            .unwrap_or_default();
        let names: Vec<&str> = services.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected, "{configuration:?}");
    }

    #[test]
    fn a_database_has_the_services_of_its_line_or_the_default() {
        let configuration =
            "# x: y\npasswd: files systemd # later\nhosts:files mdns4_minimal [NOTFOUND=return] dns\n";
        check(configuration, "passwd", &["files", "systemd"]);
        check(configuration, "hosts", &["dns", "files", "mdns4_minimal"]);
        check(configuration, "group", &["compat", "files", "nis"]);
        check(configuration, "networks", &["dns", "files"]);
        check("group: files", "initgroups", &["files"]);
        check("group: files\ninitgroups: sss", "initgroups", &["sss"]);
        check(
            "passwd: compat\npasswd_compat: ldap",
            "passwd",
            &["compat", "ldap"],
        );
        check("passwd: compat", "passwd", &["compat", "nis"]);
    }

    #[test]
    fn functions_ask_their_databases() {
        let asked = |function: &str| -> Vec<&str> {
            let asked = DATABASES.iter().filter(|database| database.is_asked_by(function));
            asked.map(|database| database.name).collect()
        };
        assert_eq!(asked("getpwnam_r"), ["passwd"]);
        assert_eq!(asked("getaddrinfo"), ["hosts", "services"]);
        assert_eq!(asked("getgroups"), [""; 0]);
        assert_eq!(asked("gethostname"), [""; 0]);
        assert_eq!(asked("__nss_configure_lookup").len(), DATABASES.len());
    }

    #[test]
    fn services_inside_the_c_library_are_known_by_their_names() {
        assert!(is_service_function("_nss_dns_gethostbyname4_r"));
        assert!(!is_service_function("_nss_files_parse_pwent"));
        assert!(!is_service_function("_nss_netgroup_parseline"));
    }
}
