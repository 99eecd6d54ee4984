package console

import (
	"testing"

	"hooktape/web/api"
)

// What tests outside of the package look at.
var (
	Visible    = visible
	Line       = line
	PrettyJSON = prettyJSON
	ShellWord  = shellWord
	Local      = local
	Assets     = assets
)

// Change is a difference between two bodies.
type Change = change

// ChangesOf compares two bodies.
var ChangesOf = changesOf

// Hurry makes each step of a search the shortest that there is, until the test ends.
func Hurry(t *testing.T) {
	list, further := listPatience, furtherPatience
	listPatience, furtherPatience = 0, 0
	t.Cleanup(func() { listPatience, furtherPatience = list, further })
}

// FormTime is formTime.
var FormTime = &formTime

// Bytes is how many an asset has.
func Bytes(a asset) int { return len(a.content) }

// NewSessions is sessions with their methods.
func NewSessions() Sessions { return Sessions{newSessions()} }

// Sessions is sessions.
type Sessions struct{ s *sessions }

// Begin is begin.
func (s Sessions) Begin(who api.Bearer) string { return s.s.begin(who) }

// Find is find.
func (s Sessions) Find(id string, person bool) (api.Bearer, bool) { return s.s.find(id, person) }

// LimitDownloads lets a download have so many events at most, until the test ends.
func LimitDownloads(t *testing.T, most uint64) {
	before := maxDownload
	maxDownload = most
	t.Cleanup(func() { maxDownload = before })
}
