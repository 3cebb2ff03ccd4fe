//! A class file: its constants, what it is above of, its methods (the Java virtual machine's specification, chapter 4).
//!
//! Read without a look at what the virtual machine's verifier checks: what it refuses never runs.

mod members;
mod provided;

use confine_image::FileBytes;
use memchr::memmem;

use super::annotations::{Kind, Values};
use super::bytes::Reader;
use members::Field;
pub use members::{Access, Method};
pub use provided::provided;

const MAGIC: u32 = 0xCAFE_BABE;

/// Flags of classes: others may name a public one; neither an interface nor an abstract one has objects that are not of a class
/// below.
const PUBLIC: u16 = 0x0001;
const INTERFACE: u16 = 0x0200;
const ABSTRACT: u16 = 0x0400;

/// A class, with its bytes.
pub struct Class {
    bytes: FileBytes,
    /// Where each constant begins, at its tag; 0 where there is none.
    constants: Vec<u32>,
    flags: u16,
    this: u16,
    /// The class above, then the interfaces.
    above: Vec<u16>,
    fields: Vec<Field>,
    pub methods: Vec<Method>,
    /// Where attributes with annotations begin, its own and those of its members.
    annotations: Vec<(Kind, usize)>,
    bootstraps: Vec<Bootstrap>,
}

/// How a dynamic constant or call comes about.
#[derive(Clone)]
pub struct Bootstrap {
    pub handle: u16,
    pub arguments: Vec<u16>,
}

/// A constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constant<'a> {
    Text(&'a [u8]),
    Class(u16),
    String(u16),
    /// A field or method: its class, and its name with its type.
    Member {
        class: u16,
        signature: u16,
    },
    NameAndType {
        name: u16,
        descriptor: u16,
    },
    /// How the member is used, as the specification numbers it, and the member.
    Handle {
        kind: u8,
        member: u16,
    },
    MethodType(u16),
    Dynamic {
        bootstrap: u16,
        signature: u16,
    },
    Integer(i32),
    /// Another number, a module or package.
    Other,
}

/// A member that a constant names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    pub class: &'a [u8],
    pub name: &'a [u8],
    pub descriptor: &'a [u8],
}

impl Class {
    /// Reads a class; `None` if the bytes are none.
    pub fn read(bytes: FileBytes) -> Option<Self> {
        let mut class = Self {
            constants: Vec::new(),
            flags: 0,
            this: 0,
            above: Vec::new(),
            fields: Vec::new(),
            methods: Vec::new(),
            annotations: Vec::new(),
            bootstraps: Vec::new(),
            bytes: FileBytes::new(),
        };
        class.read_from(&bytes)?;
        class.bytes = bytes;
        Some(class)
    }

    fn read_from(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::new(bytes, 0);
        if reader.long()? != MAGIC {
            return None;
        }
        reader.skip(4)?;
        self.constants = places_of_constants(&mut reader)?;
        self.flags = reader.short()?;
        self.this = reader.short()?;
        self.above.push(reader.short()?);
        for _ in 0..reader.short()? {
            self.above.push(reader.short()?);
        }
        for _ in 0..reader.short()? {
            self.fields.push(Field {
                flags: reader.short()?,
                name: reader.short()?,
                descriptor: reader.short()?,
            });
            for _ in 0..reader.short()? {
                self.read_attribute(bytes, &mut reader)?;
            }
        }
        for _ in 0..reader.short()? {
            let method = self.read_method(bytes, &mut reader)?;
            self.methods.push(method);
        }
        for _ in 0..reader.short()? {
            let (name, start) = self.read_attribute(bytes, &mut reader)?;
            if name == Some(b"BootstrapMethods") {
                self.bootstraps = bootstraps(&mut Reader::new(bytes, start))?;
            }
        }
        Some(())
    }

    fn read_method(&mut self, bytes: &[u8], reader: &mut Reader<'_>) -> Option<Method> {
        let mut method = Method {
            flags: reader.short()?,
            name: reader.short()?,
            descriptor: reader.short()?,
            code: 0..0,
        };
        for _ in 0..reader.short()? {
            let (name, start) = self.read_attribute(bytes, reader)?;
            if name == Some(b"Code") {
                let mut code = Reader::new(bytes, start);
                code.skip(4)?;
                let length = code.length()?;
                let start = code.at();
                code.skip(length)?;
                method.code = start..code.at();
            }
        }
        Some(method)
    }

    /// The name of an attribute and where its content begins; annotations are noted.
    fn read_attribute<'a>(
        &mut self,
        bytes: &'a [u8],
        reader: &mut Reader<'_>,
    ) -> Option<(Option<&'a [u8]>, usize)> {
        let name = text_at(bytes, &self.constants, reader.short()?);
        let length = reader.length()?;
        let start = reader.at();
        reader.skip(length)?;
        if let Some(kind) = name.and_then(Kind::named) {
            self.annotations.push((kind, start));
        }
        Some((name, start))
    }

    /// Its name, with slashes.
    pub fn name(&self) -> Option<&[u8]> {
        self.class_name(self.this)
    }

    /// Whether there are objects of it and not of a class below.
    pub fn has_objects(&self) -> bool {
        self.flags & (INTERFACE | ABSTRACT) == 0
    }

    /// Whether classes of other packages may name it.
    pub fn is_public(&self) -> bool {
        self.flags & PUBLIC != 0
    }

    pub fn is_interface(&self) -> bool {
        self.flags & INTERFACE != 0
    }

    /// The names of the class above, if there is one, and of its interfaces.
    pub fn above(&self) -> impl Iterator<Item = &[u8]> {
        self.above.iter().filter_map(|index| self.class_name(*index))
    }

    /// The name and the type of a method.
    pub fn signature(&self, method: &Method) -> Option<(&[u8], &[u8])> {
        Some((self.text(method.name)?, self.text(method.descriptor)?))
    }

    /// The instructions of a method; none if it has no body.
    pub fn code(&self, method: &Method) -> &[u8] {
        self.bytes.get(method.code.clone()).unwrap_or_default()
    }

    /// Where the handlers of exceptions in a method begin, from the beginning of its instructions.
    pub fn handlers(&self, method: &Method) -> Option<Vec<usize>> {
        let mut reader = Reader::new(&self.bytes, method.code.end);
        let mut handlers = Vec::new();
        for _ in 0..reader.short()? {
            reader.skip(4)?;
            handlers.push(reader.short()?.into());
            reader.skip(2)?;
        }
        Some(handlers)
    }

    /// Which classes may name a variable of this one's.
    pub fn field_access(&self, name: &[u8], descriptor: &[u8]) -> Option<Access> {
        let is_it = |field: &&Field| {
            self.text(field.name) == Some(name) && self.text(field.descriptor) == Some(descriptor)
        };
        self.fields
            .iter()
            .find(is_it)
            .map(|field| Access::of(field.flags))
    }

    /// A number among its constants.
    pub fn integer(&self, index: u16) -> Option<i32> {
        match self.constant(index)? {
            Constant::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The type of a method that is linked when it is called.
    pub fn dynamic_type(&self, index: u16) -> Option<&[u8]> {
        match self.constant(index)? {
            Constant::Dynamic { signature, .. } => Some(self.name_and_type(signature)?.1),
            _ => None,
        }
    }

    pub fn bootstrap(&self, index: u16) -> Option<&Bootstrap> {
        self.bootstraps.get(usize::from(index))
    }

    /// A constant by its index.
    pub fn constant(&self, index: u16) -> Option<Constant<'_>> {
        constant_at(&self.bytes, &self.constants, index)
    }

    /// All constants.
    pub fn constants(&self) -> impl Iterator<Item = (u16, Constant<'_>)> {
        let count = u16::try_from(self.constants.len()).unwrap_or(u16::MAX);
        (1..count).filter_map(|index| Some((index, self.constant(index)?)))
    }

    pub fn text(&self, index: u16) -> Option<&[u8]> {
        text_at(&self.bytes, &self.constants, index)
    }

    /// What a constant of a string says.
    pub fn string(&self, index: u16) -> Option<&[u8]> {
        match self.constant(index)? {
            Constant::String(text) => self.text(text),
            _ => None,
        }
    }

    /// What a constant of a class says.
    pub fn class_name(&self, index: u16) -> Option<&[u8]> {
        match self.constant(index)? {
            Constant::Class(name) => self.text(name),
            _ => None,
        }
    }

    /// The name and type that a constant says.
    pub fn name_and_type(&self, index: u16) -> Option<(&[u8], &[u8])> {
        match self.constant(index)? {
            Constant::NameAndType { name, descriptor } => Some((self.text(name)?, self.text(descriptor)?)),
            _ => None,
        }
    }

    /// The names and types of members that it names.
    pub fn names_and_types(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let constants = self.constants();
        constants.filter_map(|(_, constant)| match constant {
            Constant::NameAndType { name, descriptor } => Some((self.text(name)?, self.text(descriptor)?)),
            _ => None,
        })
    }

    /// The field or method that a constant names.
    pub fn member(&self, index: u16) -> Option<Member<'_>> {
        let Constant::Member { class, signature } = self.constant(index)? else {
            return None;
        };
        let (name, descriptor) = self.name_and_type(signature)?;
        let class = self.class_name(class)?;
        Some(Member {
            class,
            name,
            descriptor,
        })
    }

    /// The texts that its code may have in hand: strings, and values of annotations.
    pub fn strings(&self) -> Vec<&[u8]> {
        self.constant_strings().chain(self.annotated_texts()).collect()
    }

    /// The strings among its constants.
    pub fn constant_strings(&self) -> impl Iterator<Item = &[u8]> {
        self.constants().filter_map(|(index, _)| self.string(index))
    }

    /// Whether it has to do with a member of this name.
    pub fn names_member(&self, wanted: &[u8]) -> bool {
        self.constants().any(|(_, constant)| match constant {
            Constant::NameAndType { name, .. } => self.text(name) == Some(wanted),
            _ => false,
        })
    }

    /// Whether it names a member of this name of a class whose name begins so.
    pub fn uses(&self, class: &[u8], name: &[u8]) -> bool {
        let constants = self.constants();
        constants
            .filter(|(_, constant)| matches!(constant, Constant::Member { .. }))
            .filter_map(|(index, _)| self.member(index))
            .any(|member| member.name == name && member.class.starts_with(class))
    }

    /// Whether it calls something that finds a class by its name: what is given a text and gives a class.
    pub fn finds_classes(&self) -> bool {
        self.constants().any(|(_, constant)| {
            let Constant::NameAndType { descriptor, .. } = constant else {
                return false;
            };
            let given = self
                .text(descriptor)
                .and_then(|text| text.strip_suffix(b")Ljava/lang/Class;"));
            given.is_some_and(|given| memmem::find(given, b"Ljava/lang/String;").is_some())
        })
    }

    /// The texts that values of annotations are.
    pub fn annotated_texts(&self) -> Vec<&[u8]> {
        let values = self.annotated().texts;
        values.into_iter().filter_map(|index| self.text(index)).collect()
    }

    /// The classes that values of annotations are, as types.
    pub fn annotated_classes(&self) -> Vec<&[u8]> {
        let values = self.annotated().classes;
        values.into_iter().filter_map(|index| self.text(index)).collect()
    }

    fn annotated(&self) -> Values {
        let mut values = Values::default();
        for (kind, start) in &self.annotations {
            // A broken one is none to the virtual machine either.
            let _ = values.add(*kind, &mut Reader::new(&self.bytes, *start));
        }
        values
    }
}

/// Where each constant begins. Those of eight bytes take two indices.
fn places_of_constants(reader: &mut Reader<'_>) -> Option<Vec<u32>> {
    let count = usize::from(reader.short()?);
    let mut places = vec![0];
    while places.len() < count {
        places.push(u32::try_from(reader.at()).ok()?);
        let size = match reader.byte()? {
            1 => usize::from(reader.short()?),
            7 | 8 | 16 | 19 | 20 => 2,
            15 => 3,
            3 | 4 | 9..=12 | 17 | 18 => 4,
            5 | 6 => {
                places.push(0);
                8
            }
            _ => return None,
        };
        reader.skip(size)?;
    }
    Some(places)
}

fn constant_at<'a>(bytes: &'a [u8], places: &[u32], index: u16) -> Option<Constant<'a>> {
    let place = places.get(usize::from(index)).filter(|place| **place != 0)?;
    let mut reader = Reader::new(bytes, usize::try_from(*place).ok()?);
    Some(match reader.byte()? {
        1 => {
            let length = usize::from(reader.short()?);
            Constant::Text(reader.take(length)?)
        }
        3 => Constant::Integer(reader.long()?.cast_signed()),
        7 => Constant::Class(reader.short()?),
        8 => Constant::String(reader.short()?),
        9..=11 => Constant::Member {
            class: reader.short()?,
            signature: reader.short()?,
        },
        12 => Constant::NameAndType {
            name: reader.short()?,
            descriptor: reader.short()?,
        },
        15 => Constant::Handle {
            kind: reader.byte()?,
            member: reader.short()?,
        },
        16 => Constant::MethodType(reader.short()?),
        17 | 18 => Constant::Dynamic {
            bootstrap: reader.short()?,
            signature: reader.short()?,
        },
        _ => Constant::Other,
    })
}

fn text_at<'a>(bytes: &'a [u8], places: &[u32], index: u16) -> Option<&'a [u8]> {
    match constant_at(bytes, places, index)? {
        Constant::Text(text) => Some(text),
        _ => None,
    }
}

fn bootstraps(reader: &mut Reader<'_>) -> Option<Vec<Bootstrap>> {
    let mut found = Vec::new();
    for _ in 0..reader.short()? {
        let handle = reader.short()?;
        let mut arguments = Vec::new();
        for _ in 0..reader.short()? {
            arguments.push(reader.short()?);
        }
        found.push(Bootstrap { handle, arguments });
    }
    Some(found)
}
