//! Native methods that run only where a property is set, which is not so by default. Last resort, as one visible table: that
//! a variable with the property's value keeps a method from being called is what the search does not see. Each loads
//! libraries that nothing else of the virtual machine does.
//!
//! A property counts as set where a start, a configuration, a source or a class of an application names it, whatever they do
//! with it; but for a line that gives it the value `false`. Misses: names that are put together.

use memchr::memmem;

/// A method, by its class and name, and the property without which it is not called.
struct Row {
    class: &'static [u8],
    method: &'static [u8],
    property: &'static [u8],
    /// The package whose classes name the libraries that it loads, if classes do.
    package: &'static [u8],
}

const TABLE: [Row; 2] = [
    // The desktop's settings for proxies, by GNOME's libraries ("Networking Properties" of the platform's documentation).
    Row {
        class: b"sun/net/spi/DefaultProxySelector",
        method: b"init",
        property: b"java.net.useSystemProxies",
        package: b"sun/net/spi/",
    },
    // The system's library for GSS-API ("Accessing Native GSS-API" of the platform's documentation).
    Row {
        class: b"sun/security/jgss/wrapper/GSSLibStub",
        method: b"init",
        property: b"sun.security.jgss.native",
        package: b"sun/security/jgss/wrapper/",
    },
];

/// The properties of the table that were named.
#[derive(Default)]
pub struct Properties {
    named: [bool; TABLE.len()],
}

impl Properties {
    /// Takes what a text or a line names.
    pub fn take(&mut self, text: &[u8]) {
        for (row, named) in TABLE.iter().zip(&mut self.named) {
            *named |= memmem::find(text, row.property).is_some() && !text.trim_ascii_end().ends_with(b"false");
        }
    }

    /// Whether a library may be loaded that a class names.
    pub fn allow_library(&self, class: &[u8]) -> bool {
        let mut rows = TABLE.iter().zip(&self.named);
        rows.all(|(row, named)| *named || !class.starts_with(row.package))
    }

    /// Whether a native method may be called.
    pub fn allow(&self, class: &[u8], method: &[u8]) -> bool {
        let mut rows = TABLE.iter().zip(&self.named);
        rows.all(|(row, named)| *named || row.class != class || row.method != method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: bool) {
        let mut properties = Properties::default();
        properties.take(text.as_bytes());
        assert_eq!(properties.allow(TABLE[0].class, b"init"), expected, "{text}");
        assert!(properties.allow(TABLE[0].class, b"getSystemProxies"));
        assert!(!properties.allow(TABLE[1].class, b"init"));
        assert_eq!(properties.allow_library(TABLE[0].class), expected);
        assert!(properties.allow_library(b"a/B"));
    }

    #[test]
    fn a_property_is_set_where_it_is_named() {
        check("-Djava.net.useSystemProxies=true", true);
        check("java.net.useSystemProxies", true);
        check("java.net.useSystemProxies=false", false);
        check("another=true", false);
    }
}
