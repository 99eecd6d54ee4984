package libchdb

import (
	"errors"
	"io"
	"runtime"
	"unsafe"
)

// insertChunk is how many bytes of an INSERT's data are handed to the engine at once.
const insertChunk = 1 << 20

// Insert runs "INSERT INTO …", given without its FORMAT, with the data that the reader yields. When the reader fails
// nothing more is handed over and the insert is cancelled; blocks that the engine had written by then stay, as in ClickHouse.
func (c *Conn) Insert(sql, format string, params map[string]string, data io.Reader) (Stats, error) {
	p := newParams(params)
	defer p.release()
	stream := c.symbols.streamInsertWithParams(c.handle, text(sql), uintptr(len(sql)), text(format), uintptr(len(format)),
		p.names, p.nameLens, p.values, p.valueLens, p.count)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	defer c.symbols.destroyInsertStream(stream)
	if message := c.symbols.streamInsertError(stream); message != "" {
		return Stats{}, Error(message)
	}
	if err := c.appendAll(stream, data); err != nil {
		return Stats{}, err
	}
	result, err := c.result(c.symbols.streamDone(stream))
	if err != nil {
		return Stats{}, err
	}
	defer result.Free()
	return result.Stats(), nil
}

// appendAll pushes the data. The engine stopping early is no error here: streamDone has its reason.
func (c *Conn) appendAll(stream unsafe.Pointer, data io.Reader) error {
	chunk := make([]byte, insertChunk)
	for {
		n, err := io.ReadFull(data, chunk)
		if n > 0 && c.symbols.streamAppend(stream, unsafe.Pointer(&chunk[0]), uintptr(n)) != 0 {
			return nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
