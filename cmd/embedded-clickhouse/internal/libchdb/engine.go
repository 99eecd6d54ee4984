package libchdb

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// ErrLoad says that the shared library cannot be used: absent, damaged, or built for another processor or C library.
var ErrLoad = errors.New("the engine's library cannot be loaded")

// Library is a loaded libchdb.so. A process loads it once and never unloads it.
type Library struct{ symbols *symbols }

// Load opens the library at path. The error wraps ErrLoad.
func Load(path string) (*Library, error) {
	s, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoad, err)
	}
	// The engine's handlers run without SA_ONSTACK, which makes the Go runtime abort the process.
	s.setSignalHandlersEnabled(0)
	if err := adapt(path, s.anchor); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoad, err)
	}
	return &Library{symbols: s}, nil
}

// Engine is a running engine over one data directory.
type Engine struct {
	symbols *symbols
	path    string
	// anchor is open while the engine runs: closing the last connection shuts the engine down.
	anchor unsafe.Pointer
}

// Start starts the engine over the data directory, an absolute path that exists. Its sessions may use only these
// databases; a name that ends in * matches all names with that prefix.
func (l *Library) Start(path string, databases []string) (*Engine, error) {
	spare := reserveIn(path)
	if err := spare.release(); err != nil {
		return nil, fmt.Errorf("remove the reserve of disk space: %w", err)
	}
	config, err := writeConfig(path, databases)
	if err != nil {
		return nil, fmt.Errorf("write the engine's configuration: %w", err)
	}
	e := &Engine{symbols: l.symbols, path: path}
	// Naming a file also keeps the engine from reading a config.xml in the working directory.
	if e.anchor = e.connect("--config-file=" + config); e.anchor == nil {
		return nil, fmt.Errorf("the engine did not start on %s", path)
	}
	spare.take()
	return e, nil
}

// Close stops the engine: merges end, tables close. The caller must close every Conn first. Afterwards the process
// cannot start another engine.
func (e *Engine) Close() {
	e.symbols.closeConn(e.anchor)
	e.anchor = nil
}

// connect calls chdb_connect with the arguments of a command line.
func (e *Engine) connect(args ...string) unsafe.Pointer {
	argv := make([]*byte, 0, len(args)+2)
	for _, arg := range append([]string{"clickhouse", "--path=" + e.path}, args...) {
		argv = append(argv, &append([]byte(arg), 0)[0])
	}
	conn := e.symbols.connect(int32(len(argv)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	return conn
}
