"""Passes a TCP connection on and holds every byte back: `python -m tests.challenge.relay PORT SECONDS` prints its own port."""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter


async def pump(source: StreamReader, target: StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    while data := await source.read(65_536):
        loop.call_later(seconds, target.write, data)
    loop.call_later(seconds, target.close)


async def main(port: int, seconds: float) -> None:
    async def passed_on(reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, there_writer, seconds), pump(there_reader, writer, seconds))

    server = await asyncio.start_server(passed_on, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
