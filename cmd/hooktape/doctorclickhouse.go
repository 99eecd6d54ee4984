package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"hooktape/store"
)

// A clock that is wrong by a second orders events of two machines wrongly; by a minute, live delivery and times in
// dashboards go wrong.
const (
	clockNotice  = time.Second
	clockProblem = time.Minute
)

// clickhouse looks at the server, and at what of it is ours.
func (d *doctor) clickhouse(ctx context.Context) []finding {
	db, err := store.Open(d.cfg.dsn())
	if err != nil {
		return []finding{bad("mend the DSN", "%v", err)}
	}
	defer db.Close()
	h, err := db.Health(ctx)
	switch {
	case errors.Is(err, store.ErrUnavailable) && d.cfg.embedded():
		return []finding{warn("it runs with `hooktape serve`", "the embedded engine does not answer at %s", d.cfg.Embedded.Addr)}
	case errors.Is(err, store.ErrUnavailable):
		return []finding{bad("start it, or mend the DSN; meanwhile webhooks wait on disk", "%v", err)}
	case errors.Is(err, store.ErrUnauthorized):
		return []finding{bad("check the user and password in the DSN", "%v", err)}
	case err != nil:
		return []finding{bad("see ClickHouse's log", "%v", err)}
	}
	list := []finding{ok("answers; version %s, user %s, database %s", h.Version, h.User, db.Database())}
	if len(h.Missing) > 0 {
		list = append(list, bad("GRANT ALL ON "+db.Database()+".* TO "+h.User, "the user lacks %s", strings.Join(h.Missing, ", ")))
	}
	if len(h.Settings) > 0 {
		list = append(list, bad("change them in the user's settings profile", "the user has settings under which hooktape cannot work rightly: %s", strings.Join(h.Settings, ", ")))
	}
	return append(list, schemaFinding(h.Schema), clockFinding(h.Ahead))
}

func schemaFinding(s store.Schema) finding {
	switch {
	case s.At > s.Known:
		return bad("install the newer hooktape that has made them", "the tables are newer (%d) than this program knows (%d)", s.At, s.Known)
	case s.At == 0:
		return warn("hooktape makes them at its start; or hooktape migrate", "there are no tables yet")
	case s.At < s.Known:
		return warn("hooktape does that at its start; or hooktape migrate", "the tables are at %d, and this program brings them to %d", s.At, s.Known)
	}
	return ok("the tables are up to date")
}

// clockFinding compares with ClickHouse's clock alone: whether both are right, they cannot tell.
func clockFinding(ahead time.Duration) finding {
	const do = "keep both clocks right (systemd-timesyncd, chrony)"
	switch apart := ahead.Abs(); {
	case apart > clockProblem:
		return bad(do, "its clock and this machine's are %v apart", apart.Round(time.Second))
	case apart > clockNotice:
		return warn(do, "its clock and this machine's are %v apart", apart.Round(100*time.Millisecond))
	}
	return ok("its clock agrees with this machine's")
}
