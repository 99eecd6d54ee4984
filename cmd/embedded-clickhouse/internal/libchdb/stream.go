package libchdb

import (
	"runtime"
	"unsafe"
)

// Stream is the result of a statement, handed over piece by piece while the statement runs.
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

// Close ends the statement, also in its midst.
func (s *Stream) Close() {
	s.conn.symbols.streamCancel(s.conn.handle, s.p)
	s.conn.symbols.destroyResult(s.p)
}
