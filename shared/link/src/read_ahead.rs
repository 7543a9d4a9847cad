//! Reads more at once than is asked for, while much comes.
//!
//! TLS asks for 4 KiB at a time, whatever waits, which is four calls of the kernel for one record of a moving screen. What is
//! read ahead lies in memory only while more comes than was asked for: an idle connection costs nothing here.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What is read at once while much comes, in bytes.
const AHEAD_BYTES: usize = 64 * 1024;

/// A byte stream that is read ahead of.
pub(crate) struct ReadAhead<S> {
    stream: S,
    ahead: Vec<u8>,
    /// How much of `ahead` was handed over.
    taken: usize,
    /// The last look filled all that was asked for.
    comes_much: bool,
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::new(), taken: 0, comes_much: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.ahead.len() {
            let wanted = out.remaining();
            if !this.comes_much || wanted >= AHEAD_BYTES {
                let before = out.filled().len();
                ready!(Pin::new(&mut this.stream).poll_read(cx, out))?;
                this.comes_much = wanted > 0 && out.filled().len() == before + wanted;
                return Poll::Ready(Ok(()));
            }
            this.ahead.clear();
            this.taken = 0;
            this.ahead.reserve_exact(AHEAD_BYTES);
            let read = pin!(this.stream.read_buf(&mut this.ahead)).poll(cx);
            let Poll::Ready(read) = read else {
                (this.ahead, this.comes_much) = (Vec::new(), false);
                return Poll::Pending;
            };
            this.comes_much = read? > wanted;
        }
        let rest = this.ahead.get(this.taken..).unwrap_or_default();
        let part = rest.get(..out.remaining()).unwrap_or(rest);
        out.put_slice(part);
        this.taken += part.len();
        if this.taken == this.ahead.len() && !this.comes_much {
            (this.ahead, this.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    /// Reads `parts` bytes at a time until the end.
    async fn read_all(stream: &mut ReadAhead<tokio::io::DuplexStream>, part: usize) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; part]);
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => return all,
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
    }

    #[tokio::test]
    async fn what_is_read_is_what_was_sent_whatever_the_parts() {
        let sent: Vec<u8> = (0..300_000_u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        for part in [1_000, 4_096, 70_000] {
            let (mut near, far) = duplex(100_000);
            let mut far = ReadAhead::new(far);
            let text = sent.clone();
            tokio::spawn(async move {
                for chunk in text.chunks(33_333) {
                    near.write_all(chunk).await.unwrap();
                }
            });
            assert!(read_all(&mut far, part).await == sent, "{part}");
        }
    }

    #[tokio::test]
    async fn memory_is_held_only_while_much_comes() {
        let (mut near, far) = duplex(100_000);
        let mut far = ReadAhead::new(far);
        let mut buffer = vec![0; 4_096];
        near.write_all(&[1; 100]).await.unwrap();
        assert_eq!(far.read(&mut buffer).await.unwrap(), 100);
        assert_eq!(far.ahead.capacity(), 0, "little came");
        near.write_all(&[2; 20_000]).await.unwrap();
        far.read_exact(&mut buffer).await.unwrap();
        far.read_exact(&mut buffer).await.unwrap();
        assert!(far.ahead.capacity() >= AHEAD_BYTES, "much came");
        far.read_exact(&mut vec![0; 20_000 - 2 * 4_096]).await.unwrap();
        near.write_all(&[3; 5]).await.unwrap();
        assert_eq!(far.read(&mut buffer).await.unwrap(), 5);
        assert_eq!(far.ahead.capacity(), 0, "and it is over");
    }
}
