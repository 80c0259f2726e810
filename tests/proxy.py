"""A TCP proxy whose connections a test can cut: an answer is lost though its request arrived."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Proxy:
    """Forwards to one address on loopback."""

    def __init__(self, port: int, to_port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.cuts = 0
        self._to_port = to_port
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out_reader, out_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._open |= {writer, out_writer}
        await asyncio.gather(_pump(reader, out_writer), _pump(out_reader, writer))
        self._open -= {writer, out_writer}

    def cut(self) -> None:
        """Reset every connection; new ones may be made."""
        self.cuts += len(self._open)
        for writer in self._open:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


@asynccontextmanager
async def a_proxy(port: int, to_port: int) -> AsyncGenerator[Proxy]:
    proxy = Proxy(port, to_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0)
