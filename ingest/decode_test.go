package ingest

import (
	"strings"
	"testing"

	"hooktape/internal/event"
)

// TestMistyped verifies that an accepted event with a mistyped URL has a decode error, besides those of its body.
func TestMistyped(t *testing.T) {
	for path, wrong := range map[string]bool{"/hooks/demo/***": false, "/hooks/demo/***/start/": false,
		"/hooks/demo/***//a": false, "/%68ooks/demo/***/x": false, "//hooks/demo/***/x": true, "/Hooks/demo/***": true,
		"/./hooks/demo/***": true, "/demo/***/x": true, "hooks/demo/***": true, "/hooks//demo/***": true,
		"/hooks/demo//***": true, "/api/hooks/demo/***": true, "/hooks/Demo/***": true, "/hooks/demo /***": true,
		"/hooks/demo/***%20/x": true, "/hooks%2Fdemo%2F***": true, "/hooks/demo/***%2Fx": true} {
		for body, unreadable := range map[string]bool{`{"bothelp_user_id":"7"}`: false, "no JSON": true} {
			for _, verdict := range []event.Verdict{event.Accepted, event.BadSignature} {
				record, err := (&event.Received{Source: "demo", Path: path, Body: []byte(body),
					Verdict: verdict}).Marshal()
				if err != nil {
					t.Fatal(err)
				}
				var e event.Event
				if _, err := decodeOne(&e, record, func(string) event.Kind { return "" }); err != nil {
					t.Fatal(err)
				}
				accepted := verdict == event.Accepted
				says := strings.HasPrefix(e.DecodeError, "the path is not /hooks/{source}/{token}/{step}")
				if says != (wrong && accepted) || (e.DecodeError != "") != (accepted && (wrong || unreadable)) ||
					strings.HasSuffix(e.DecodeError, "; ") {
					t.Errorf("%s %q %s: decode_error %q", path, body, verdict, e.DecodeError)
				}
			}
		}
	}
}
