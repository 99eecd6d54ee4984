package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/redact"
	"hooktape/web/api"
)

// statsSince is the period of the stats of sources and endpoints.
const statsSince = 24 * time.Hour

type sourcesPage struct {
	Sources   []sourceCard
	Unknown   []sourceCard // names in requests that are not configured
	Most      int          // the limit of Unknown
	MayReveal bool
}

// maxUnknown limits the unknown sources to those with the most requests.
const maxUnknown = 20

type sourceCard struct {
	Source
	Stats    api.SourceStats
	Last     moment
	LastID   string // the last event
	Rejected []rejection
	PerHour  string
	Revealed bool // show the token
}

// shownSource is a source, and whether the user may see its token.
type shownSource struct {
	MayReveal bool
	Card      sourceCard
}

type rejection struct {
	Verdict event.Verdict
	Count   uint64
	URL     string
}

// Masked returns the hook's URL with its token masked.
func (s Source) Masked() string {
	i := strings.LastIndexByte(s.HookURL, '/')
	return s.HookURL[:i+1] + redact.Mask
}

func showSources(v *visit) error { return v.sourcesPage("") }

// revealSource shows a hook's URL with its token, and records that.
func revealSource(v *visit) error {
	name := v.PathValue("name")
	if !slices.ContainsFunc(v.Sources(), func(s Source) bool { return s.Name == name }) {
		return api.Problemf(http.StatusNotFound, "there is no source %q in the configuration", name)
	}
	if err := v.direct.RevealSource(v.Context(), name); err != nil {
		return err
	}
	return v.sourcesPage(name)
}

func (v *visit) sourcesPage(reveal string) error {
	sources := v.Sources()
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
	}
	stats, err := v.direct.SourceStats(v.Context(), v.now.Add(-statsSince), names, len(names)+maxUnknown)
	if err != nil {
		return err
	}
	p := sourcesPage{MayReveal: v.user.Role.Covers(api.RoleAdmin), Most: maxUnknown}
	for _, s := range sources {
		card, err := v.sourceCard(s, stats)
		if err != nil {
			return err
		}
		card.Revealed = s.Name == reveal
		p.Sources = append(p.Sources, card)
	}
	for _, f := range stats {
		if !slices.Contains(names, f.Source) {
			card, err := v.sourceCard(Source{Name: f.Source}, []api.SourceStats{f})
			if err != nil {
				return err
			}
			if len(card.Rejected) > 0 {
				p.Unknown = append(p.Unknown, card)
			}
		}
	}
	return v.show("sources", "Sources", p)
}

func (v *visit) sourceCard(s Source, stats []api.SourceStats) (sourceCard, error) {
	card := sourceCard{Source: s}
	if i := slices.IndexFunc(stats, func(f api.SourceStats) bool { return f.Source == s.Name }); i >= 0 {
		card.Stats = stats[i]
	}
	f := card.Stats
	card.PerHour = perHour(f.Accepted)
	last, id := f.Last, f.LastID
	if last.IsZero() && s.HookURL != "" {
		var err error
		if last, id, err = v.direct.LastEvent(v.Context(), s.Name); err != nil {
			return card, err
		}
	}
	if !last.IsZero() {
		card.Last, card.LastID = v.at(last), id.String()
	}
	for _, verdict := range event.Verdicts {
		if n := f.Verdicts[verdict]; n > 0 {
			events := link("/", url.Values{"source": {s.Name}, "verdict": {string(verdict)}, "since": {"24h"}})
			card.Rejected = append(card.Rejected, rejection{verdict, n, events})
		}
	}
	return card, nil
}

// perHour formats the rate of a count over statsSince.
func perHour(n uint64) string {
	perHour := float64(n) / statsSince.Hours()
	switch {
	case n == 0:
		return "0"
	case perHour < 1:
		return "less than 1"
	}
	return number(uint64(perHour + 0.5))
}
