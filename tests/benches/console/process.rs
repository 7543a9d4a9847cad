//! A program that is measured, and what the kernel says about it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use nix::unistd::{SysconfVar, sysconf};

/// Killed with this value.
pub struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Process {
    /// A part of this bench.
    pub fn start_self(words: &[&str]) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).args(words))
    }

    /// Any program.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (says, hears) = (BufReader::new(child.stdout.take().unwrap()), child.stdin.take().unwrap());
        Self { child, says, hears }
    }

    /// The next line of what it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.says.read_line(&mut line).unwrap() > 0, "a part of the bench ended");
        line.trim_end().to_owned()
    }

    /// Its answer to a line.
    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.hears, "{line}").unwrap();
        self.line()
    }

    /// Processor time that it and its children have spent so far.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// Memory of its own that it has now, in bytes.
    pub fn own_bytes(&self) -> f64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let of = |name: &str| {
            let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
        };
        of("Private_Clean:") + of("Private_Dirty:")
    }
}

/// Processor time of a process and its children so far.
pub fn cpu_of(pid: u32) -> Duration {
    let per_second = sysconf(SysconfVar::CLK_TCK).unwrap().unwrap();
    Duration::from_secs_f64(ticks(pid) as f64 / per_second as f64)
}

/// In user and in kernel, of a process, of its children that ended and of those that did not.
fn ticks(pid: u32) -> u64 {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    // The name stands in brackets and may hold anything; what follows is the third field.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let own: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    own + children.split_whitespace().map(|child| ticks(child.parse().unwrap())).sum::<u64>()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
