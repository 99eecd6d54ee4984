package libchdb

import (
	"errors"
	"runtime"
	"unsafe"
)

// Error is what the engine said about a statement that failed: "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
type Error string

func (e Error) Error() string { return string(e) }

// Conn is one session with the engine.
type Conn struct {
	symbols *symbols
	// owner is what chdb_connect returned and chdb_close_conn takes; handle, what it points to, is what all else takes.
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

// Close ends the session. Its results must have been freed before.
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

// result takes over a chdb_result and turns a failed one into its Error.
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

// text is the address of a string's bytes, nil for the empty one.
func text(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }
