package console

import (
	"fmt"
	"html/template"
	"strconv"
)

// word is what a page shows in place of a value of the tables, and its tone: good, bad, doubt, neutral, quiet. Words and
// tones are those of the dashboards.
type word struct{ Text, Tone string }

var words = map[string]map[string]word{
	"verdict": {
		"accepted": {"accepted", "good"}, "bad_signature": {"wrong signature", "bad"}, "unknown_source": {"no such source", "bad"}, "bad_token": {"wrong token", "bad"},
		"too_large": {"too large", "bad"}, "method_not_allowed": {"no POST", "bad"}, "aborted": {"broken off", "bad"},
		"malformed": {"not HTTP", "bad"},
	},
	"kind": {
		"flow": {"step of a flow", ""}, "conversation_closed": {"conversation closed", ""},
		"user_profile_viewed": {"profile viewed", ""}, "unknown": {"not known", "quiet"},
	},
	"delivery": {
		"delivered": {"delivered", "good"}, "failed": {"given up", "bad"}, "pending": {"waiting", "doubt"}, "retrying": {"will be tried again", "doubt"},
		"delivering": {"being sent", "neutral"}, "unknown": {"interrupted, will be sent again", "doubt"}, "cancelled": {"cancelled", "quiet"},
	},
	"outcome": {
		"delivered": {"delivered", "good"}, "bad_status": {"answered with an error", "bad"}, "timeout": {"no answer in time", "bad"},
		"no_connection": {"no connection", "bad"},
		"broken_answer": {"broken answer", "bad"}, "forbidden_addr": {"address not allowed", "bad"},
		"impossible": {"no request can be made", "bad"}, "unknown": {"not known", "doubt"},
	},
	"differs": {
		"status": {"another status", "doubt"}, "outcome": {"another outcome", "doubt"}, "body": {"another body", "doubt"},
		"only_here": {"an answer only here", "quiet"}, "only_there": {"an answer only there", "quiet"},
	},
	"endpoint": {
		"active": {"works", "good"}, "broken": {"does not work", "bad"}, "paused": {"paused", "doubt"}, "unknown": {"nothing delivered yet", "quiet"},
	},
	"replay": {
		"running": {"running", "neutral"}, "paused": {"paused", "doubt"}, "done": {"done", "good"}, "cancelled": {"cancelled", "quiet"},
	},
}

// verdictMeaning says why a request was not taken, and what to do.
var verdictMeaning = map[string]string{
	"bad_signature":      "The signature is not that of the source's signing_token: it was changed at BotHelp, or somebody else sends. Copy it from BotHelp again.",
	"unknown_source":     "The URL names a source that the configuration does not have. Correct the URL in BotHelp, or add the source.",
	"bad_token":          "The token in the URL is not the source's. Copy the hook URL from the page Sources again.",
	"too_large":          "The body is larger than the source's max_body. Raise it in the configuration if such bodies are right.",
	"method_not_allowed": "Not a POST: somebody has opened the hook's URL in a browser.",
	"aborted":            "The sender left before its request was complete.",
	"malformed":          "No HTTP server can read this request; the body shows how it begins. Correct the sender, or the proxy in front.",
}

// say is the word for a value of a list.
func say(list, value any) word {
	if w, ok := words[fmt.Sprint(list)][fmt.Sprint(value)]; ok {
		return w
	}
	return word{fmt.Sprint(value), "quiet"}
}

// number is with a thin space at the thousands.
func number(n any) string {
	var text string
	switch n := n.(type) {
	case int:
		text = strconv.Itoa(n)
	case uint64:
		text = strconv.FormatUint(n, 10)
	default:
		return fmt.Sprint(n)
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// count is a number with its noun.
func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// functions are what templates may call.
var functions = template.FuncMap{
	"visible": visible, "line": line, "say": say, "number": number, "count": count, "span": span, "asset": assetPath, "cut": cutValue, "long": longValue,
	"meaning":       func(verdict any) string { return verdictMeaning[fmt.Sprint(verdict)] },
	"subscriberURL": subscriberURL,
	"tab":           func(f frame, section, path, name string) tab { return tab{path, name, f.Section == section} },
	"source":        func(p sourcesPage, c sourceCard) shownSource { return shownSource{p.MayReveal, c} },
}

// tab is an entry of the navigation.
type tab struct {
	Path, Name string
	Current    bool
}

// longValue is as much of a long value as a page has room for: there may be many.
func longValue(text string) block { return blockOf(text, "", false) }

// cutValue is a value that may be long, as it stands in a table.
func cutValue(text string) block {
	head, _ := clip(text, maxCell)
	return block{Text: head, More: len(text) - len(head)}
}
