//! Class files, and files of modules, for tests.

/// A class that is put together.
pub struct Class {
    constants: Vec<Vec<u8>>,
    name: u16,
    above: u16,
    interfaces: Vec<u16>,
    flags: u16,
    fields: Vec<Vec<u8>>,
    methods: Vec<Vec<u8>>,
    bootstraps: Vec<Vec<u8>>,
}

impl Class {
    /// A class of this name, directly below others: a class, then interfaces.
    pub fn new(name: &str, above: &[&str]) -> Self {
        let mut class = Self {
            constants: Vec::new(),
            name: 0,
            above: 0,
            interfaces: Vec::new(),
            flags: 0,
            fields: Vec::new(),
            methods: Vec::new(),
            bootstraps: Vec::new(),
        };
        class.name = class.class(name);
        let mut above: Vec<u16> = above.iter().map(|name| class.class(name)).collect();
        if !above.is_empty() {
            class.above = above.remove(0);
        }
        class.interfaces = above;
        class
    }

    /// Makes it an interface, which is abstract.
    pub fn interface(mut self) -> Self {
        self.flags = 0x0600;
        self
    }

    /// Makes it one that classes of other packages may name.
    pub fn public(mut self) -> Self {
        self.flags |= 1;
        self
    }

    fn constant(&mut self, bytes: Vec<u8>) -> u16 {
        let known = self.constants.iter().position(|constant| *constant == bytes);
        let at = known.unwrap_or_else(|| {
            self.constants.push(bytes);
            self.constants.len() - 1
        });
        u16::try_from(at + 1).unwrap()
    }

    fn pair(&mut self, tag: u8, one: u16, other: u16) -> u16 {
        self.constant([vec![tag], short(one), short(other)].concat())
    }

    fn text(&mut self, text: &str) -> u16 {
        self.constant([vec![1], short(text.len()), text.as_bytes().to_vec()].concat())
    }

    fn class(&mut self, name: &str) -> u16 {
        let text = self.text(name);
        self.constant([vec![7], short(text)].concat())
    }

    fn signature(&mut self, name: &str, descriptor: &str) -> u16 {
        let (name, descriptor) = (self.text(name), self.text(descriptor));
        self.pair(12, name, descriptor)
    }

    /// `class.name:descriptor`
    fn member(&mut self, member: &str) -> u16 {
        let (class, rest) = member.split_once('.').unwrap();
        let (name, descriptor) = rest.split_once(':').unwrap();
        let (class, signature) = (self.class(class), self.signature(name, descriptor));
        self.pair(10, class, signature)
    }

    /// Adds a variable that only the class may name.
    pub fn field(mut self, name: &str, descriptor: &str) -> Self {
        let field = [short(2), self.named(name, descriptor), short(0)].concat();
        self.fields.push(field);
        self
    }

    /// Adds a method for all, with what it does, one word and one operand each; a native one does nothing.
    pub fn method(self, name: &str, descriptor: &str, does: &[(&str, &str)]) -> Self {
        self.method_with(1, name, descriptor, does)
    }

    /// The same with these flags: 0 is for the package, 2 for the class, and 8 more is without an object.
    pub fn method_with(mut self, flags: u16, name: &str, descriptor: &str, does: &[(&str, &str)]) -> Self {
        let code: Vec<u8> = does
            .iter()
            .flat_map(|(how, what)| self.instruction(how, what))
            .collect();
        let attribute = self.text("Code");
        let body = [vec![0; 4], long(code.len()), code, vec![0; 4]].concat();
        let head = [
            short(flags),
            self.named(name, descriptor),
            short(1),
            short(attribute),
        ]
        .concat();
        self.methods.push([head, long(body.len()), body].concat());
        self
    }

    pub fn native(self, name: &str, descriptor: &str) -> Self {
        self.without_code(0x0101, name, descriptor)
    }

    /// Adds a native method without an object that only the class may name.
    pub fn private_native(self, name: &str, descriptor: &str) -> Self {
        self.without_code(0x010a, name, descriptor)
    }

    /// Adds a method that classes below have to bring.
    pub fn open(self, name: &str, descriptor: &str) -> Self {
        self.without_code(0x0401, name, descriptor)
    }

    fn without_code(mut self, flags: u16, name: &str, descriptor: &str) -> Self {
        let method = [short(flags), self.named(name, descriptor), short(0)].concat();
        self.methods.push(method);
        self
    }

    fn named(&mut self, name: &str, descriptor: &str) -> Vec<u8> {
        let (name, descriptor) = (self.text(name), self.text(descriptor));
        [short(name), short(descriptor)].concat()
    }

    fn instruction(&mut self, how: &str, what: &str) -> Vec<u8> {
        let (code, index, rest) = match how {
            "new" => (0xbb, self.class(what), 0),
            "static" => (0xb8, self.member(what), 0),
            "virtual" => (0xb6, self.member(what), 0),
            "interface" => (0xb9, self.member(what), 2),
            "class" => (0x13, self.class(what), 0),
            "special" => (0xb7, self.member(what), 0),
            "get" => (0xb4, self.member(what), 0),
            "put" => (0xb5, self.member(what), 0),
            // What is no constant: bytes of instructions.
            "do" => {
                let bytes = what.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap());
                return bytes.collect();
            }
            "compare" => return [self.instruction("class", what), vec![0xa5, 0, 3]].concat(),
            "text" => {
                let text = self.text(what);
                (0x13, self.constant([vec![8], short(text)].concat()), 0)
            }
            "dynamic" => (0xba, self.dynamic(what), 2),
            _ => panic!("{how}"),
        };
        [vec![code], short(index), vec![0; rest]].concat()
    }

    /// `bootstrap => called => type`
    fn dynamic(&mut self, what: &str) -> u16 {
        let parts: Vec<&str> = what.split(" => ").collect();
        let mut handle = |member| {
            let member = self.member(member);
            self.constant([vec![15, 6], short(member)].concat())
        };
        let (bootstrap, called) = (handle(parts[0]), handle(parts[1]));
        self.bootstraps
            .push([short(bootstrap), short(1), short(called)].concat());
        let signature = self.signature("it", parts[2]);
        self.pair(18, u16::try_from(self.bootstraps.len() - 1).unwrap(), signature)
    }

    pub fn bytes(mut self) -> Vec<u8> {
        let attribute = self.text("BootstrapMethods");
        let bootstraps = [short(self.bootstraps.len()), self.bootstraps.concat()].concat();
        let interfaces: Vec<u8> = self.interfaces.iter().flat_map(|index| short(*index)).collect();
        [
            vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61],
            short(self.constants.len() + 1),
            self.constants.concat(),
            short(self.flags),
            short(self.name),
            short(self.above),
            short(self.interfaces.len()),
            interfaces,
            short(self.fields.len()),
            self.fields.concat(),
            short(self.methods.len()),
            self.methods.concat(),
            short(1),
            short(attribute),
            long(bootstraps.len()),
            bootstraps,
        ]
        .concat()
    }
}

/// A file of modules with these classes, by their names.
pub fn modules(classes: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut strings = b"\0class\0".to_vec();
    let mut locations = vec![0];
    let mut offsets = Vec::new();
    let mut contents = Vec::new();
    for (name, bytes) in classes {
        let (parent, base) = name.rsplit_once('/').unwrap_or(("", name));
        offsets.extend(little(locations.len()));
        let mut string = |text: &str| {
            strings.extend([text.as_bytes(), b"\0"].concat());
            strings.len() - text.len() - 1
        };
        let attributes = [
            (2, string(parent)),
            (3, string(base)),
            (4, 1),
            (5, contents.len()),
            (7, bytes.len()),
        ];
        for (kind, value) in attributes {
            locations.push(kind << 3 | 3);
            locations.extend(long(value));
        }
        locations.push(0);
        contents.extend(bytes);
    }
    let redirects = vec![0; classes.len() * 4];
    [
        little(0xCAFE_DADA),
        little(1 << 16),
        little(0),
        little(classes.len()),
        little(classes.len()),
        little(locations.len()),
        little(strings.len()),
        redirects,
        offsets,
        locations,
        strings,
        contents,
    ]
    .concat()
}

fn short(value: impl TryInto<u16, Error: std::fmt::Debug>) -> Vec<u8> {
    value.try_into().unwrap().to_be_bytes().to_vec()
}

fn long(value: usize) -> Vec<u8> {
    u32::try_from(value).unwrap().to_be_bytes().to_vec()
}

fn little(value: usize) -> Vec<u8> {
    u32::try_from(value).unwrap().to_le_bytes().to_vec()
}
