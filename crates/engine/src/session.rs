//! One container's life as a user asks for it: started, waited for until it is ready, visited by a workload, left
//! alone for a while, stopped.
//!
//! In: a container that was made and a [`Session`]. Out: a [`Visit`], what came of it. The workload is a line for the
//! host's shell, which finds in its environment:
//!
//! | variable | what |
//! |---|---|
//! | `CONTAINER` | the container's name |
//! | `HOST` | where its ports answer |
//! | `HOST_PORT` | the port of that host that leads to the container's first one |
//! | `HOST_PORT_80` | the one that leads to port 80, and so on for each published port |
//! | `INSIDE` | the command that executes its arguments in the container, e.g. `docker exec NAME` |
//! | `SIGNAL` | the command that sends the signal of the given name to its first process |
//!
//! Whoever started the container decides about its filter and compares lives; a container that ends by itself is no
//! error here.

use std::time::{Duration, Instant};

use crate::command::{Finished, Interrupt, Invocation};
use crate::container::{Container, Health};
use crate::error::Error;

/// How often is looked whether something has happened.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a container must do before the workload begins, beside passing its image's own check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// Accept connections on this port.
    Port(u16),
    /// Let this line for the host's shell, given the workload's environment, end with exit code 0.
    Command(String),
    /// Write this to one of its outputs.
    Log(String),
    /// Have run for so long.
    Time(Duration),
    /// End by itself: there is no workload then.
    End,
}

/// What a container is led through.
#[derive(Debug, Clone)]
pub struct Session {
    /// What it must do to be ready.
    pub ready: Option<Ready>,
    /// How long it may take to get ready.
    pub ready_limit: Duration,
    /// The workload: a line for the host's shell.
    pub workload: Option<String>,
    /// How long the workload may take.
    pub workload_limit: Duration,
    /// How long it is left alone after the workload. Without a workload and without this it is left until it ends.
    pub duration: Option<Duration>,
    /// How long it may take to heed its stop signal.
    pub patience: Duration,
}

/// What came of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// How the workload ended, where there was one and the container lived to see it.
    pub workload: Option<Finished>,
    /// How the container ended.
    pub end: End,
    /// Whether its image's own check was passed; nothing where there is none.
    pub healthy: Option<bool>,
    /// What it wrote to both its outputs.
    pub log: String,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Itself(i32),
    /// It was stopped, with this exit code.
    Stopped(i32),
    /// It was killed as it did not heed its stop signal.
    Killed(i32),
}

impl Session {
    /// Leads a container that was made through all of it.
    ///
    /// # Errors
    /// When it can't be started, does not get ready, its workload takes too long, or somebody interrupts.
    pub fn lead(&self, container: &mut dyn Container, interrupt: &Interrupt) -> Result<Visit, Error> {
        container.start()?;
        let healthy = self.get_ready(container, "", interrupt)?;
        let mut workload = None;
        if let Some(line) = &self.workload
            && container.ended()?.is_none()
        {
            workload = Some(self.visit(container, line, interrupt)?);
        }
        if self.workload.is_none() || self.duration.is_some() {
            wait_for_end(container, self.duration, interrupt)?;
        }
        let end = match container.ended()? {
            Some(code) => End::Itself(code),
            None => {
                let stopped = container.stop(self.patience)?;
                match stopped.forced {
                    true => End::Killed(stopped.code),
                    false => End::Stopped(stopped.code),
                }
            }
        };
        Ok(Visit {
            workload,
            end,
            healthy,
            log: container.logs(),
        })
    }

    /// Waits for its image's own check and for what the user asked for; whether the former was passed, if there is one.
    /// A container that has ended is waited for no longer. `written` is what it wrote before it was started again.
    ///
    /// # Errors
    /// When it does not get ready in time, the engine does not answer, or somebody interrupts.
    pub(crate) fn get_ready(
        &self,
        container: &mut dyn Container,
        written: &str,
        interrupt: &Interrupt,
    ) -> Result<Option<bool>, Error> {
        let started = Instant::now();
        let deadline = started + self.ready_limit;
        let mut healthy = None;
        // Bounded by the deadline.
        loop {
            if container.ended()?.is_some() {
                return Ok(healthy);
            }
            let health = container.health()?;
            healthy = match health {
                Health::Unchecked => None,
                Health::Healthy => Some(true),
                Health::Starting | Health::Unhealthy => Some(false),
            };
            if healthy != Some(false) {
                match self.is_ready(container, written, started, interrupt) {
                    Ok(true) => return Ok(healthy),
                    Ok(false) => {}
                    // One that has ended meanwhile answers nowhere.
                    Err(_) if container.ended()?.is_some() => return Ok(healthy),
                    Err(error) => return Err(error),
                }
            }
            let gave_up = health == Health::Unhealthy;
            if gave_up || Instant::now() >= deadline {
                let waited_for = match (healthy, &self.ready) {
                    (Some(false), _) => "its image's health check does not pass".to_owned(),
                    (_, Some(Ready::Port(port))) => format!("nothing accepts connections on port {port}"),
                    (_, Some(Ready::Command(line))) => format!("`{line}` does not end with exit code 0"),
                    (_, Some(Ready::Log(text))) => format!("it does not write `{text}`"),
                    (_, Some(Ready::End)) => "it does not end by itself".to_owned(),
                    (_, None | Some(Ready::Time(_))) => "it does not run".to_owned(),
                };
                let why = match gave_up {
                    true => waited_for,
                    false => format!("{waited_for} within {:?}", self.ready_limit),
                };
                return Err(Error::NotReady { why });
            }
            pause(INTERVAL, interrupt)?;
        }
    }

    fn is_ready(
        &self,
        container: &dyn Container,
        written: &str,
        started: Instant,
        interrupt: &Interrupt,
    ) -> Result<bool, Error> {
        let line = match &self.ready {
            None => return Ok(true),
            Some(Ready::Time(time)) => return Ok(started.elapsed() >= *time),
            // Its end is looked at before.
            Some(Ready::End) => return Ok(false),
            Some(Ready::Log(text)) => {
                let times = |log: &str| log.matches(text.as_str()).count();
                return Ok(times(&container.logs()) > times(written));
            }
            Some(Ready::Command(line)) => line.clone(),
            // A shell in the right network namespace; a published port accepts before the server does, so that what
            // counts is that the connection is not closed at once.
            Some(Ready::Port(port)) => {
                let endpoint = container.endpoint(*port)?;
                format!(
                    "exec 3<>/dev/tcp/{}/{} && {{ read -r -t 0.3 -n 1 -u 3 || [ $? -gt 128 ]; }}",
                    endpoint.host, endpoint.port
                )
            }
        };
        let shell = shell(container, &line)?.interrupt(interrupt);
        match shell.limit(self.ready_limit).run() {
            Ok(finished) => Ok(finished.code == Some(0)),
            Err(Error::TimedOut { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs the workload's line on a container that is ready.
    ///
    /// # Errors
    /// When it takes too long, the engine does not answer, or somebody interrupts.
    pub(crate) fn visit(
        &self,
        container: &mut dyn Container,
        line: &str,
        interrupt: &Interrupt,
    ) -> Result<Finished, Error> {
        let mut running = shell(container, line)?.interrupt(interrupt).start()?;
        running.wait(self.workload_limit)
    }
}

/// The host's shell about to run a line for a container, in the network namespace where its ports answer; the line's
/// own arguments may be added.
///
/// # Errors
/// When the engine doesn't tell where they do.
pub fn shell(container: &dyn Container, line: &str) -> Result<Invocation, Error> {
    let mut words = Vec::new();
    if let Some(process) = container.network_of()? {
        let process = process.to_string();
        words.extend(["nsenter", "--target", &process, "--net"].map(str::to_owned));
    }
    words.extend(["bash", "-c", line].map(str::to_owned));
    let mut shell = Invocation::of(words)
        .env("CONTAINER", container.name())
        .env("INSIDE", container.inside().join(" "))
        .env("SIGNAL", container.signaller().join(" "));
    for (index, port) in container.ports().iter().enumerate() {
        let endpoint = container.endpoint(*port)?;
        if index == 0 {
            shell = shell
                .env("HOST", &endpoint.host)
                .env("HOST_PORT", endpoint.port.to_string());
        }
        shell = shell.env(format!("HOST_PORT_{port}"), endpoint.port.to_string());
    }
    Ok(shell)
}

/// Waits until it has ended, so long at most.
fn wait_for_end(
    container: &mut dyn Container,
    limit: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    // Bounded by the deadline, or by the user, who asked to wait for the end.
    while container.ended()?.is_none() {
        let left = deadline.map_or(INTERVAL, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            break;
        }
        pause(left.min(INTERVAL), interrupt)?;
    }
    Ok(())
}

fn pause(time: Duration, interrupt: &Interrupt) -> Result<(), Error> {
    if interrupt.is_raised() {
        return Err(Error::Interrupted);
    }
    std::thread::sleep(time);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Endpoint, Stopped};

    /// A container that is only told about.
    struct Told {
        /// What each look at its health finds; the last one stays.
        health: std::cell::RefCell<Vec<Health>>,
        /// After how many looks it has ended by itself.
        ends_after: Option<usize>,
        looks: usize,
    }

    impl Told {
        fn new(health: &[Health], ends_after: Option<usize>) -> Self {
            let mut health = health.to_vec();
            health.reverse();
            Self {
                health: health.into(),
                ends_after,
                looks: 0,
            }
        }
    }

    impl Container for Told {
        fn name(&self) -> &str {
            "told"
        }
        fn host_name(&self) -> Result<String, Error> {
            Ok("told".to_owned())
        }
        fn start(&mut self) -> Result<(), Error> {
            Ok(())
        }
        fn ports(&self) -> &[u16] {
            &[80, 443]
        }
        fn endpoint(&self, port: u16) -> Result<Endpoint, Error> {
            Ok(Endpoint {
                host: "127.0.0.1".to_owned(),
                port: port + 1000,
            })
        }
        fn network_of(&self) -> Result<Option<u32>, Error> {
            Ok(None)
        }
        fn health(&self) -> Result<Health, Error> {
            let mut health = self.health.borrow_mut();
            let now = health.last().copied().unwrap_or(Health::Unchecked);
            if health.len() > 1 {
                health.pop();
            }
            Ok(now)
        }
        fn is_running(&mut self) -> Result<bool, Error> {
            Ok(self.ended()?.is_none())
        }
        fn ended(&mut self) -> Result<Option<i32>, Error> {
            self.looks += 1;
            Ok(self.ends_after.filter(|last| self.looks > *last).map(|_| 3))
        }
        fn inside(&self) -> Vec<String> {
            vec!["exec".to_owned(), "told".to_owned()]
        }
        fn signaller(&self) -> Vec<String> {
            vec!["kill".to_owned()]
        }
        fn restart(&mut self, _: Duration) -> Result<(), Error> {
            Ok(())
        }
        fn stop(&mut self, _: Duration) -> Result<Stopped, Error> {
            Ok(Stopped {
                code: 143,
                forced: false,
            })
        }
        fn logs(&self) -> String {
            "log".to_owned()
        }
    }

    fn session(ready: Option<Ready>, workload: Option<&str>, duration: Option<u64>) -> Session {
        Session {
            ready,
            ready_limit: Duration::from_millis(400),
            workload: workload.map(str::to_owned),
            workload_limit: Duration::from_secs(20),
            duration: duration.map(Duration::from_millis),
            patience: Duration::from_secs(1),
        }
    }

    fn lead(session: &Session, mut told: Told) -> Result<Visit, String> {
        let visit = session.lead(&mut told, &Interrupt::default());
        visit.map_err(|error| error.to_string())
    }

    #[test]
    fn a_workload_finds_where_the_container_answers() {
        let line = "echo $CONTAINER $HOST:$HOST_PORT $HOST_PORT_443 $INSIDE; exit 5";
        let visit = lead(&session(None, Some(line), None), Told::new(&[], None)).unwrap();
        let workload = visit.workload.unwrap();
        assert_eq!(workload.stdout, "told 127.0.0.1:1080 1443 exec told\n");
        assert_eq!((workload.code, visit.end), (Some(5), End::Stopped(143)));
        assert_eq!((visit.healthy, visit.log.as_str()), (None, "log"));
    }

    #[test]
    fn the_images_own_check_is_waited_for() {
        let told = Told::new(&[Health::Starting, Health::Starting, Health::Healthy], None);
        let visit = lead(&session(None, Some("true"), None), told).unwrap();
        assert_eq!(visit.healthy, Some(true));
        for (health, expected) in [
            (Health::Starting, "check does not pass within 400ms"),
            (Health::Unhealthy, "check does not pass"),
        ] {
            let error = lead(&session(None, Some("true"), None), Told::new(&[health], None)).unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn what_the_user_waits_for_is_named_when_it_does_not_come() {
        let ready = |line: &str| Some(Ready::Command(line.to_owned()));
        assert!(lead(&session(ready("true"), None, Some(1)), Told::new(&[], None)).is_ok());
        for (ready, expected) in [
            (ready("false"), "`false` does not end with exit code 0"),
            (ready("sleep 9"), "`sleep 9` does not end with exit code 0"),
            (
                Some(Ready::Port(64_000)),
                "nothing accepts connections on port 64000",
            ),
        ] {
            let error = lead(&session(ready, None, Some(1)), Told::new(&[], None)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_port_is_ready_when_its_server_keeps_the_connection() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        // The first connection is closed at once, as by an engine whose container does not listen yet.
        let serving = std::thread::spawn(move || {
            drop(server.accept().unwrap());
            let kept = server.accept().unwrap();
            std::thread::sleep(Duration::from_secs(1));
            drop(kept);
        });
        let mut session = session(Some(Ready::Port(port - 1000)), None, Some(1));
        session.ready_limit = Duration::from_secs(10);
        assert!(lead(&session, Told::new(&[], None)).is_ok());
        serving.join().unwrap();
    }

    #[test]
    fn a_line_of_the_log_counts_when_it_comes_anew() {
        let session = session(Some(Ready::Log("log".to_owned())), None, None);
        let get_ready = |written: &str| {
            let mut told = Told::new(&[], None);
            session.get_ready(&mut told, written, &Interrupt::default())
        };
        assert!(get_ready("").is_ok());
        let error = get_ready("log").unwrap_err().to_string();
        assert!(error.contains("does not write `log` within 400ms"), "{error}");
    }

    #[test]
    fn time_and_the_end_are_waited_for() {
        let time = session(Some(Ready::Time(Duration::from_millis(150))), None, Some(1));
        let started = Instant::now();
        assert!(lead(&time, Told::new(&[], None)).is_ok());
        assert!(started.elapsed() >= Duration::from_millis(150));
        let end = session(Some(Ready::End), None, None);
        assert_eq!(lead(&end, Told::new(&[], Some(2))).unwrap().end, End::Itself(3));
        let error = lead(&end, Told::new(&[], None)).unwrap_err();
        assert!(error.contains("it does not end by itself within"), "{error}");
    }

    #[test]
    fn a_container_that_ends_by_itself_is_no_error() {
        let visit = lead(&session(None, None, None), Told::new(&[], Some(3))).unwrap();
        assert_eq!(visit.end, End::Itself(3));
        let visit = lead(&session(None, Some("true"), None), Told::new(&[], Some(0))).unwrap();
        assert_eq!((visit.workload, visit.end), (None, End::Itself(3)));
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        let outcome = session(None, None, None).lead(&mut Told::new(&[], None), &interrupt);
        assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    }
}
