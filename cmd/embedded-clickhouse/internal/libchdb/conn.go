package libchdb

import (
	"errors"
	"io"
	"runtime"
	"unsafe"
)

// Error is the engine's message about a failed statement: "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
type Error string

func (e Error) Error() string { return string(e) }

// Conn is one session with the engine.
type Conn struct {
	symbols *symbols
	// owner is the pointer for chdb_close_conn; handle, to which it points, is the pointer for all other functions.
	owner, handle unsafe.Pointer
}

// Connect opens a session with the engine's default settings.
func (e *Engine) Connect() (*Conn, error) {
	owner := e.connect()
	if owner == nil {
		return nil, errors.New("the engine refused a new session")
	}
	return &Conn{symbols: e.symbols, owner: owner, handle: *(*unsafe.Pointer)(owner)}, nil
}

// Close ends the session. The caller must free its results first.
func (c *Conn) Close() { c.symbols.closeConn(c.owner) }

// Query runs one statement and returns its whole result, which the caller must Free. Params are the values of the
// statement's {name:Type} places, in ClickHouse's escaped text form.
func (c *Conn) Query(sql, format string, params map[string]string) (*Result, error) {
	p := newParams(params)
	defer p.release()
	res := c.symbols.queryWithParams(c.handle, text(sql), uintptr(len(sql)), text(format), uintptr(len(format)),
		p.names, p.nameLens, p.values, p.valueLens, p.count)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	return c.result(res)
}

// Exec runs one statement for its effect.
func (c *Conn) Exec(sql string) error {
	res, err := c.Query(sql, "Null", nil)
	if err != nil {
		return err
	}
	res.Free()
	return nil
}

// Stream is the result of a statement, piece by piece while the statement runs.
type Stream struct {
	conn *Conn
	p    unsafe.Pointer
}

// Stream starts a statement. The caller must Close the stream before it uses the Conn again.
func (c *Conn) Stream(sql, format string, params map[string]string) (*Stream, error) {
	p := newParams(params)
	defer p.release()
	res := c.symbols.streamQueryWithParams(c.handle, text(sql), uintptr(len(sql)), text(format), uintptr(len(format)),
		p.names, p.nameLens, p.values, p.valueLens, p.count)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	result, err := c.result(res)
	if err != nil {
		return nil, err
	}
	return &Stream{conn: c, p: result.p}, nil
}

// Next returns the next piece, or nil after the last. The caller must Free it.
func (s *Stream) Next() (*Result, error) {
	piece, err := s.conn.result(s.conn.symbols.streamFetch(s.conn.handle, s.p))
	if err != nil {
		return nil, err
	}
	if len(piece.Bytes()) == 0 {
		piece.Free()
		return nil, nil
	}
	return piece, nil
}

// Close ends the statement, even while it runs.
func (s *Stream) Close() {
	s.conn.symbols.streamCancel(s.conn.handle, s.p)
	s.conn.symbols.destroyResult(s.p)
}

// insertChunk is the number of bytes of an INSERT's data in one call of the engine.
const insertChunk = 1 << 20

// Insert runs "INSERT INTO …", without its FORMAT clause, with the data of the reader. If the reader fails, the insert
// is cancelled; blocks that the engine has written by then stay, as in ClickHouse.
func (c *Conn) Insert(sql, format string, params map[string]string, data io.Reader) (Stats, error) {
	p := newParams(params)
	defer p.release()
	stream := c.symbols.streamInsertWithParams(c.handle, text(sql), uintptr(len(sql)), text(format),
		uintptr(len(format)), p.names, p.nameLens, p.values, p.valueLens, p.count)
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

// appendAll pushes the data. It returns nil if the engine stops early: streamDone returns the reason.
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

// result wraps a chdb_result, or returns the Error of a failed one.
func (c *Conn) result(p unsafe.Pointer) (*Result, error) {
	if p == nil {
		return nil, Error("Code: 49. DB::Exception: The engine returned no result. (LOGICAL_ERROR)")
	}
	if message := c.symbols.resultError(p); message != "" {
		c.symbols.destroyResult(p)
		return nil, Error(message)
	}
	return &Result{symbols: c.symbols, p: p}, nil
}

// text returns the address of a string's bytes, or nil for the empty string.
func text(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

// params is a map of parameters in the form of the C interface: four parallel arrays.
type params struct {
	names, nameLens, values, valueLens unsafe.Pointer
	count                              uintptr
	pinner                             runtime.Pinner
}

func newParams(m map[string]string) *params {
	p := &params{count: uintptr(len(m))}
	if len(m) == 0 {
		return p
	}
	var names, values []unsafe.Pointer
	var nameLens, valueLens []uintptr
	for name, value := range m {
		names = append(names, p.pin(name))
		nameLens = append(nameLens, uintptr(len(name)))
		values = append(values, p.pin(value))
		valueLens = append(valueLens, uintptr(len(value)))
	}
	p.names = unsafe.Pointer(&names[0])
	p.nameLens = unsafe.Pointer(&nameLens[0])
	p.values = unsafe.Pointer(&values[0])
	p.valueLens = unsafe.Pointer(&valueLens[0])
	for _, array := range []unsafe.Pointer{p.names, p.nameLens, p.values, p.valueLens} {
		p.pinner.Pin(array)
	}
	return p
}

// pin returns the address of a copy of s that does not move until release. The copy ends in a NUL byte, which gives the
// empty string an address.
func (p *params) pin(s string) unsafe.Pointer {
	bytes := append([]byte(s), 0)
	p.pinner.Pin(&bytes[0])
	return unsafe.Pointer(&bytes[0])
}

func (p *params) release() { p.pinner.Unpin() }
