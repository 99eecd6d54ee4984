package console

import (
	"testing"
	"time"

	"hooktape/web/api"
)

// Unexported names that tests outside the package use.
var (
	Visible     = visible
	Line        = line
	PrettyJSON  = prettyJSON
	ShellWord   = shellWord
	LocalPath   = localPath
	Assets      = assets
	FormTimeout = &formTimeout
	ChangesOf   = changesOf

	WorstFirst   = worstFirst
	OpenFailures = openFailures
)

// Unexported types that tests outside the package use.
type (
	Delivery  = delivery
	Attempt   = attempt
	Forwarded = forwarded
)

type Change = change

// Ago returns the relative form of a time this long ago.
func Ago(away time.Duration) string {
	now := time.Now()
	return moment{now.Add(-away), now}.Ago()
}

// ShortenSteps makes each step of a search as short as possible until the test ends.
func ShortenSteps(t *testing.T) {
	first, next := firstStep, nextStep
	firstStep, nextStep = 0, 0
	t.Cleanup(func() { firstStep, nextStep = first, next })
}

// LimitDownloads limits the events of a download until the test ends.
func LimitDownloads(t *testing.T, most uint64) {
	before := maxDownload
	maxDownload = most
	t.Cleanup(func() { maxDownload = before })
}

// LimitReplays limits the replays on a page until the test ends.
func LimitReplays(t *testing.T, most int) {
	before := maxReplays
	maxReplays = most
	t.Cleanup(func() { maxReplays = before })
}

// Size returns the number of bytes of an asset.
func Size(a asset) int { return len(a.content) }

// Sessions exports sessions.
type Sessions struct{ s *sessions }

func NewSessions() Sessions                                            { return Sessions{newSessions()} }
func (s Sessions) Begin(user api.Principal) string                     { return s.s.begin(user) }
func (s Sessions) Find(id string, byPerson bool) (api.Principal, bool) { return s.s.find(id, byPerson) }

// LimitAudit limits the entries of the audit log on a page until the test ends.
func LimitAudit(t *testing.T, most int) {
	before := maxAudit
	maxAudit = most
	t.Cleanup(func() { maxAudit = before })
}
