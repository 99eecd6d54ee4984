package api

import (
	"errors"
	"io"
	"net/http"

	"hooktape/internal/store"
	"hooktape/replay"
)

// probes serves /healthz and /readyz, for supervisors of the process. They need no token.
func probes(mux *http.ServeMux, failing, broken func() error) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if broken != nil && broken() != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "failed: the disk refused a write; see the log\n")
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var err error
		if failing != nil {
			err = failing()
		}
		status, answer := http.StatusOK, map[string]any{"ready": true, "clickhouse": "ok"}
		switch {
		case errors.Is(err, replay.ErrStandby):
			// The API answers. Not ready would block an update that waits for this process before it stops the other
			// one.
			answer["delivering"], answer["standby"] = false, err.Error()
		case errors.Is(err, store.ErrDamaged):
			status = http.StatusServiceUnavailable
			answer = map[string]any{"ready": false,
				"clickhouse": "has a part that it cannot read; see the log, or hooktape doctor"}
		case err != nil:
			status = http.StatusServiceUnavailable
			answer = map[string]any{"ready": false,
				"clickhouse": "does not answer, or does not take outcomes; see the log"}
		}
		writeJSON(w, status, "application/json; charset=utf-8", answer)
	})
}
