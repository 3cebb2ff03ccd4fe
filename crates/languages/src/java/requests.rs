//! Native methods that run only where an application asks for them: last resort, as one visible table. Each comes to libraries
//! that nothing else of the virtual machine does. That the value of a property keeps one from being called, or that objects
//! of the right classes never come together, is what the search does not see.
//!
//! An application asks where a start, a configuration, a source or a class of it has one of the texts of a row, whatever it does
//! with it; but for a line that gives a property the value `false`. Misses: names that are put together.

use memchr::memmem;

/// Native methods, and the texts of which an application must have one.
struct Row {
    /// What the names of their classes begin with.
    classes: &'static [&'static [u8]],
    /// Which method it is; every one if none is given.
    method: Option<&'static [u8]>,
    /// A library that only these classes load.
    library: Option<&'static str>,
    texts: &'static [&'static [u8]],
    /// A text of the virtual machine's own code that asks for this: one without it calls the methods anyway.
    asking: Option<&'static [u8]>,
}

impl Row {
    fn is_about(&self, class: &[u8]) -> bool {
        self.classes.iter().any(|prefix| class.starts_with(prefix))
    }
}

/// What stands for a call of `getContent` of java.net.URL or of a connection.
pub const CONTENT: &[u8] = b"URL.getContent";

/// The variable that says where the window system is.
pub const DISPLAY: &[u8] = b"DISPLAY";

/// What names the package of windows and images and says that there are none.
const HEADLESS: &[u8] = b"java.awt.headless";

/// The properties by which Java 13 and 14 to 17 have sockets as before (JEP 353 and 373).
const PLAIN_SOCKETS: &[u8] = b"jdk.net.usePlainSocketImpl";
const PLAIN_DATAGRAMS: &[u8] = b"jdk.net.usePlainDatagramSocketImpl";

const TABLE: [Row; 8] = [
    // The desktop's settings for proxies, by GNOME's libraries ("Networking Properties" of the platform's documentation).
    Row {
        classes: &[b"sun/net/spi/DefaultProxySelector"],
        method: Some(b"init"),
        library: None,
        texts: &[b"java.net.useSystemProxies"],
        asking: None,
    },
    // The system's library for GSS-API ("Accessing Native GSS-API" of the platform's documentation).
    Row {
        classes: &[b"sun/security/jgss/wrapper/"],
        method: None,
        library: Some("j2gss"),
        texts: &[b"sun.security.jgss.native", b"SunNativeGSS"],
        asking: None,
    },
    // Sound: by its own interface, by that of applets, by widgets that make noises, and by what URLs of sounds hold.
    Row {
        classes: &[b"com/sun/media/sound/"],
        method: None,
        library: Some("jsound"),
        texts: &[
            b"javax/sound/",
            b"javax.sound.",
            b"java/applet/",
            b"java.applet.",
            b"javax/swing/",
            b"javax.swing.",
            CONTENT,
        ],
        asking: None,
    },
    // The window system: by windows, which there are none of without a display (java.awt.HeadlessException), and by the variable
    // that says where that is; without it, the toolkit without a head is taken (java.awt.GraphicsEnvironment.getHeadlessProperty).
    Row {
        classes: &[
            b"sun/awt/X11",
            b"sun/java2d/x11/",
            b"sun/java2d/xr/",
            b"sun/java2d/opengl/GLX",
        ],
        method: None,
        library: None,
        texts: &[
            DISPLAY,
            b"java/awt/Window",
            b"java/awt/Frame",
            b"java/awt/Dialog",
            b"java/awt/FileDialog",
            b"java/awt/Desktop",
            b"java/awt/Robot",
            b"java/awt/SystemTray",
            b"java/applet/",
            b"java.applet.",
            b"java.awt.",
            b"javax/swing/JFrame",
            b"javax/swing/JDialog",
            b"javax/swing/JWindow",
            b"javax/swing/JOptionPane",
            b"javax/swing/JFileChooser",
            b"javax.swing.",
            b"javafx/",
            b"javafx.",
        ],
        asking: None,
    },
    // A picture while an application starts: by an option, a manifest, or the class for it ("How to Create a Splash Screen" of
    // the platform's tutorials).
    Row {
        classes: &[b"java/awt/SplashScreen"],
        method: None,
        library: Some("splashscreen"),
        texts: &[
            b"-splash:",
            b"SplashScreen-Image",
            b"java/awt/SplashScreen",
            b"java.awt.SplashScreen",
        ],
        asking: None,
    },
    // Printers: by the interfaces for printing, by the desktop's, by toolkits' print jobs, and by widgets that print themselves.
    Row {
        classes: &[b"sun/print/"],
        method: None,
        library: None,
        texts: &[
            b"javax/print/",
            b"javax.print.",
            b"java/awt/print/",
            b"java.awt.print.",
            b"java/awt/Desktop",
            b"java.awt.Desktop",
            b"PrintJob",
            b"javax/swing/",
            b"javax.swing.",
        ],
        asking: None,
    },
    Row {
        classes: &[b"java/net/PlainSocketImpl", b"java/net/AbstractPlainSocketImpl"],
        method: None,
        library: None,
        texts: &[PLAIN_SOCKETS],
        asking: Some(PLAIN_SOCKETS),
    },
    Row {
        classes: &[
            b"java/net/PlainDatagramSocketImpl",
            b"java/net/AbstractPlainDatagramSocketImpl",
        ],
        method: None,
        library: None,
        texts: &[PLAIN_DATAGRAMS],
        asking: Some(PLAIN_DATAGRAMS),
    },
];

/// What the application asks for.
#[derive(Default)]
pub struct Requests {
    asked: [bool; TABLE.len()],
    /// Whether the virtual machine asks.
    asking: [bool; TABLE.len()],
}

impl Requests {
    /// Takes a text, a line or a name of an application.
    pub fn take(&mut self, text: &[u8]) {
        let is_off = text.trim_ascii_end().ends_with(b"=false");
        let is_there = |wanted: &[u8]| {
            let mut places = memmem::find_iter(text, wanted);
            places.any(|at| !text.get(at..).is_some_and(|text| text.starts_with(HEADLESS)))
        };
        for (row, asked) in TABLE.iter().zip(&mut self.asked) {
            *asked |= !is_off && row.texts.iter().any(|wanted| is_there(wanted));
        }
    }

    /// Takes a text of a class: the name of a widget in one is for look-ups only, such as in a list of what must not be made
    /// (Jackson's SubTypeValidator), for who has widgets refers to their classes.
    pub fn take_text_of_class(&mut self, text: &[u8]) {
        if !text.starts_with(b"javax.swing.") {
            self.take(text);
        }
    }

    /// Takes a text of the virtual machine's own code.
    pub fn take_text_of_machine(&mut self, text: &[u8]) {
        for (row, asking) in TABLE.iter().zip(&mut self.asking) {
            *asking |= row.asking == Some(text);
        }
    }

    fn missing(&self) -> impl Iterator<Item = &'static Row> {
        let rows = TABLE.iter().zip(&self.asked).zip(&self.asking);
        let missing = rows.filter(|((row, asked), asking)| !**asked && (row.asking.is_none() || **asking));
        missing.map(|((row, _), _)| row)
    }

    /// Whether a native method may be called.
    pub fn allow(&self, class: &[u8], method: &[u8]) -> bool {
        let concerns = |row: &Row| row.is_about(class) && row.method.is_none_or(|name| name == method);
        !self.missing().any(concerns)
    }

    /// Whether a library of the virtual machine may be loaded.
    pub fn allow_library(&self, name: &str) -> bool {
        !self.missing().any(|row| row.library == Some(name))
    }

    /// Whether a library may be loaded by the file that a class names.
    pub fn allow_file(&self, class: &[u8]) -> bool {
        !self.missing().any(|row| row.is_about(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, [proxies, gss, sound, windows, print]: [bool; 5]) {
        let mut requests = Requests::default();
        requests.take(text.as_bytes());
        assert_eq!(
            requests.allow(b"sun/net/spi/DefaultProxySelector", b"init"),
            proxies,
            "{text}"
        );
        assert_eq!(
            requests.allow(b"sun/security/jgss/wrapper/GSSLibStub", b"init"),
            gss,
            "{text}"
        );
        assert_eq!(
            requests.allow_file(b"sun/security/jgss/wrapper/SunNativeProvider"),
            gss,
            "{text}"
        );
        assert_eq!(requests.allow_library("jsound"), sound, "{text}");
        assert_eq!(
            requests.allow(b"sun/awt/X11GraphicsEnvironment", b"initDisplay"),
            windows,
            "{text}"
        );
        assert_eq!(
            requests.allow(b"sun/print/CUPSPrinter", b"initIDs"),
            print,
            "{text}"
        );
        assert!(requests.allow(b"sun/net/spi/DefaultProxySelector", b"getSystemProxies"));
        assert!(
            requests.allow(b"a/B", b"init") && requests.allow_file(b"a/B") && requests.allow_library("net")
        );
    }

    #[test]
    fn an_application_asks_where_it_has_a_text() {
        let (none, windows) = ([false; 5], [false, false, false, true, false]);
        check(
            "-Djava.net.useSystemProxies=true",
            [true, false, false, false, false],
        );
        check("java.net.useSystemProxies=false", none);
        check("sun.security.jgss.native", [false, true, false, false, false]);
        check("java/awt/Color", none);
        check("java/awt/Frame", windows);
        check("DISPLAY", windows);
        check("java/awt/print/Book", [false, false, false, false, true]);
        check("getPrintJob", [false, false, false, false, true]);
        check("javax.swing.JFrame", [false, false, true, true, true]);
        check("javax/swing/JFrame", [false, false, true, true, true]);
        check("javax/swing/JLabel", [false, false, true, false, true]);
        check("another=true", none);
        check("-Djava.awt.headless=true", none);
        check(
            "-Djava.awt.headless=true java.awt.Desktop",
            [false, false, false, true, true],
        );
        let mut requests = Requests::default();
        requests.take_text_of_class(b"javax.swing.JEditorPane");
        assert!(!requests.allow_library("jsound"));
    }

    #[test]
    fn a_virtual_machine_that_does_not_ask_calls_the_methods_anyway() {
        let mut requests = Requests::default();
        let allow = |requests: &Requests| requests.allow(b"java/net/PlainDatagramSocketImpl", b"send");
        assert!(allow(&requests));
        requests.take_text_of_machine(PLAIN_DATAGRAMS);
        assert!(!allow(&requests));
        requests.take(b"-Djdk.net.usePlainDatagramSocketImpl=false");
        assert!(!allow(&requests));
        requests.take(b"-Djdk.net.usePlainDatagramSocketImpl");
        assert!(allow(&requests));
    }
}
