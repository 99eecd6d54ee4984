package simulate_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain closes idle connections to the engine.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}
