//! An image where an engine can make containers of it, and everything taken back when it is no longer wanted.
//!
//! Docker and podman make containers of images that they hold; an archive is taken in for the time being, and names that
//! another image had before get back to it. runc and crun start bundles, for which the image's files must lie in a folder:
//! a folder is taken as it is, an image of Docker's is unpacked by Docker.

use std::path::PathBuf;

use crate::bundle::{ImageConfig, Rootfs};
use crate::command::Interrupt;
use crate::container::{Container, StartOptions};
use crate::docker::Docker;
use crate::error::Error;
use crate::runtime::Runtime;

/// What starts containers.
#[derive(Debug, Clone)]
pub enum Engine {
    /// Docker or podman.
    Docker(Docker),
    /// An OCI runtime by itself.
    Runtime(Runtime),
}

/// Where the image lies.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the engine, under this name.
    Held(String),
    /// In an archive, with a name where it holds several.
    Archive(PathBuf, Option<String>),
    /// In a folder that is its root file system, with a configuration that the folder does not have.
    Folder(PathBuf, ImageConfig),
}

/// An image that an engine can make containers of.
#[derive(Debug)]
pub struct Installed {
    /// What starts them.
    pub engine: Engine,
    /// How a container of it starts and stops.
    pub config: ImageConfig,
    files: Files,
    /// Every container's name begins with it.
    prefix: String,
    /// What the engine was given, in the order in which it is taken back.
    taken_in: Vec<Name>,
    interrupt: Interrupt,
    scratch: tempfile::TempDir,
}

#[derive(Debug)]
enum Files {
    Held(String),
    Folder(Rootfs),
}

/// A name that an archive brought.
#[derive(Debug)]
struct Name {
    name: String,
    /// The image that has it now.
    image: String,
    /// The image that had it before.
    before: Option<String>,
    docker: Docker,
}

impl Installed {
    /// Makes an image ready; each container's name begins with `prefix`.
    ///
    /// # Errors
    /// When the engine does not answer, has no such image, or can't take it.
    pub fn new(engine: Engine, source: Source, prefix: &str, interrupt: &Interrupt) -> Result<Self, Error> {
        let scratch = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir()
            .map_err(Error::file("create a folder in", std::env::temp_dir()))?;
        let mut installed = Self {
            engine,
            config: ImageConfig::default(),
            files: Files::Held(String::new()),
            prefix: prefix.to_owned(),
            taken_in: Vec::new(),
            interrupt: interrupt.clone(),
            scratch,
        };
        installed.install(source)?;
        Ok(installed)
    }

    fn install(&mut self, source: Source) -> Result<(), Error> {
        let (docker, unpack) = match &self.engine {
            Engine::Docker(docker) => (docker.clone(), false),
            Engine::Runtime(_) => (Docker::new(&self.interrupt), true),
        };
        let reference = match source {
            Source::Held(name) => name,
            Source::Archive(path, wanted) => self.take_in(&docker, &path, wanted)?,
            Source::Folder(folder, config) if unpack => {
                self.config = config;
                self.files = Files::Folder(Rootfs::existing(&folder));
                return Ok(());
            }
            Source::Folder(folder, _) => {
                return Err(Error::Unfit {
                    image: folder.display().to_string(),
                    expected: "an image or an archive, for Docker and podman start no folders; runc and crun do",
                });
            }
        };
        if !docker.has(&reference)? {
            return Err(Error::Unfit {
                image: reference,
                expected: "an image that the engine holds",
            });
        }
        self.config = docker.config(&reference)?;
        self.files = match unpack {
            false => Files::Held(reference),
            true => {
                let archive = self.scratch.path().join("flat.tar");
                docker.export(&reference, &archive)?;
                let files = Rootfs::unpack(&archive, &self.scratch.path().join("rootfs"))?;
                std::fs::remove_file(&archive).map_err(Error::file("remove", &archive))?;
                Files::Folder(files)
            }
        };
        Ok(())
    }

    /// Has the engine take in an archive; the name of the image in it.
    fn take_in(
        &mut self,
        docker: &Docker,
        archive: &std::path::Path,
        wanted: Option<String>,
    ) -> Result<String, Error> {
        let before = docker.names()?;
        let loaded = docker.load(archive)?;
        for name in &loaded {
            let image = docker.image_id(name)?;
            let had = before.iter().find(|(known, _)| known == name);
            let had = had.map(|(_, id)| id.clone());
            // One that it held all the time, under this name or without one, is not ours to take back.
            let is_known =
                had.as_ref() == Some(&image) || *name == image && before.iter().any(|(_, id)| *id == image);
            if !is_known {
                self.taken_in.push(Name {
                    name: name.clone(),
                    image,
                    before: had,
                    docker: docker.clone(),
                });
            }
        }
        let first = loaded.into_iter().next();
        wanted.or(first).ok_or_else(|| Error::Unfit {
            image: archive.display().to_string(),
            expected: "an archive of an image as `docker save` writes it",
        })
    }

    /// Makes a container, whose name begins with the prefix and ends with the options' own.
    ///
    /// # Errors
    /// When the engine does not make it.
    pub fn create(&self, options: &StartOptions) -> Result<Box<dyn Container>, Error> {
        let options = StartOptions {
            name: format!("{}{}", self.prefix, options.name),
            ..options.clone()
        };
        match (&self.engine, &self.files) {
            (Engine::Docker(docker), Files::Held(reference)) => {
                Ok(Box::new(docker.create(reference, &options)?))
            }
            (Engine::Runtime(runtime), Files::Folder(files)) => {
                let folder = self.scratch.path().join(&options.name);
                let container = runtime.create(&folder, files, &self.config, &options, &self.interrupt)?;
                Ok(Box::new(container))
            }
            _ => Err(Error::Unfit {
                image: options.name,
                expected: "an image that was made ready for this engine",
            }),
        }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if let Engine::Docker(docker) = &self.engine {
            // What an interrupted client had asked for may only be there now.
            let _ = docker.sweep(&self.prefix);
        }
        for Name {
            name,
            image,
            before,
            docker,
        } in &self.taken_in
        {
            // An image goes with its last name; where it has another one, that stays and so does the image.
            let _ = match before {
                Some(earlier) => docker.tag(earlier, name).and_then(|()| docker.untag(image)),
                None => docker.untag(name),
            };
        }
    }
}
