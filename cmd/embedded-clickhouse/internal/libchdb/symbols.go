package libchdb

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// symbols are the functions of chdb.h that this package calls. The engine's handles are opaque pointers.
type symbols struct {
	setSignalHandlersEnabled func(enabled int32)

	connect   func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn func(conn unsafe.Pointer)

	queryWithParams func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamQueryWithParams func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamFetch  func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamCancel func(conn, stream unsafe.Pointer)

	streamInsertWithParams func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamAppend        func(stream, data unsafe.Pointer, length uintptr) int32
	streamDone          func(stream unsafe.Pointer) unsafe.Pointer
	streamInsertError   func(stream unsafe.Pointer) string
	destroyInsertStream func(stream unsafe.Pointer)

	resultBuffer      func(result unsafe.Pointer) unsafe.Pointer
	resultLength      func(result unsafe.Pointer) uintptr
	resultError       func(result unsafe.Pointer) string
	resultRows        func(result unsafe.Pointer) uint64
	resultStorageRows func(result unsafe.Pointer) uint64
	resultRowsWritten func(result unsafe.Pointer) uint64
	destroyResult     func(result unsafe.Pointer)

	// anchor is the address of anchorSymbol.
	anchor uintptr
}

// anchorSymbol is the function whose address shows where in memory the library is.
const anchorSymbol = "chdb_connect"

// load opens the shared library and finds every symbol. It refuses a library of another version immediately, before a
// query needs a missing function.
func load(path string) (*symbols, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, err
	}
	s := new(symbols)
	for name, fn := range map[string]any{
		"chdb_set_signal_handlers_enabled": &s.setSignalHandlersEnabled,
		"chdb_connect":                     &s.connect,
		"chdb_close_conn":                  &s.closeConn,
		"chdb_query_with_params_n":         &s.queryWithParams,
		"chdb_stream_query_with_params_n":  &s.streamQueryWithParams,
		"chdb_stream_fetch_result":         &s.streamFetch,
		"chdb_stream_cancel_query":         &s.streamCancel,
		"chdb_stream_insert_with_params_n": &s.streamInsertWithParams,
		"chdb_stream_append":               &s.streamAppend,
		"chdb_stream_done":                 &s.streamDone,
		"chdb_stream_insert_error":         &s.streamInsertError,
		"chdb_destroy_insert_stream":       &s.destroyInsertStream,
		"chdb_result_buffer":               &s.resultBuffer,
		"chdb_result_length":               &s.resultLength,
		"chdb_result_error":                &s.resultError,
		"chdb_result_rows_read":            &s.resultRows,
		"chdb_result_storage_rows_read":    &s.resultStorageRows,
		"chdb_result_rows_written":         &s.resultRowsWritten,
		"chdb_destroy_query_result":        &s.destroyResult,
	} {
		address, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("%s has no function %s", path, name)
		}
		if name == anchorSymbol {
			s.anchor = address
		}
		purego.RegisterFunc(fn, address)
	}
	return s, nil
}
