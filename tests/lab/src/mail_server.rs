//! Takes every letter of the control plane and keeps each as a file, `1.eml` and so on (RFC 5321, as much as it speaks).

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use crate::{
    error::{Attempted, Result},
    layout::{MAIL_PORT, MANAGEMENT},
};

/// What the log says once it listens.
pub const SERVING: &str = "taking letters";
const TIMEOUT: Duration = Duration::from_secs(30);

/// Takes letters into `dir` until it is killed.
///
/// # Errors
/// When the port or the folder cannot be had.
pub fn run(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).attempted(|| format!("making {}", dir.display()))?;
    let at = (MANAGEMENT, MAIL_PORT);
    let listener = TcpListener::bind(at).attempted(|| format!("listening on {MANAGEMENT}:{MAIL_PORT}"))?;
    println!("{SERVING} into {}", dir.display());
    let mut taken = 0;
    // One sender, which sends one letter after the other.
    for stream in listener.incoming().flatten() {
        if let Err(error) = speak(&stream, dir, &mut taken) {
            eprintln!("a letter broke off: {error}");
        }
    }
    Ok(())
}

fn speak(mut stream: &TcpStream, dir: &Path, taken: &mut u32) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut lines = BufReader::new(stream).lines();
    stream.write_all(b"220 mail.lab\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let answer = match line.get(..4).unwrap_or_default() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut letter = String::new();
                while let Some(line) = lines.next().transpose()?.filter(|line| line != ".") {
                    letter += &line;
                    letter.push('\n');
                }
                *taken += 1;
                // Whoever waits for it reads it whole.
                fs::write(dir.join("partial"), letter)?;
                fs::rename(dir.join("partial"), dir.join(format!("{taken}.eml")))?;
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}
