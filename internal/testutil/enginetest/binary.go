package enginetest

import (
	"context"
	"sync"
	"testing"

	"hooktape/internal/testutil"
)

// Binary returns the path of embedded-clickhouse.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// binary is the path of embedded-clickhouse, built at its first use.
var binary = sync.OnceValues(func() (string, error) { return testutil.BuildEngine(context.Background()) })
