package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/internal/simulate"
)

// targets are the hooks that the account posts to.
type targets struct {
	sources      simulate.Sources
	urls         map[string]string // by source
	external     string            // hook URL for External Requests, without a step; empty if no source forwards
	signingToken string
	own          bool // hooktape on this machine
}

// targets chooses sources for the account's flows and its chat.
func (c simulateCmd) targets(e *env) (to targets, err error) {
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" {
			return to, fmt.Errorf("--url %q is no URL such as http://127.0.0.1:8080/hooks/demo/TOKEN", c.URL)
		}
		parts := strings.Split(strings.Trim(u.Path, "/"), "/")
		if len(parts) != 3 || parts[0] != "hooks" {
			return to, errors.New("--url must be a hook URL without a step, such as " +
				"http://127.0.0.1:8080/hooks/demo/TOKEN")
		}
		name := parts[1]
		return targets{sources: simulate.Sources{Course: name, Webinar: name, Chat: name},
			urls: map[string]string{name: strings.TrimRight(c.URL, "/")}}, nil
	}
	cfg, err := e.config()
	if err != nil {
		return to, err
	}
	first := slices.IndexFunc(cfg.Sources, func(s config.Source) bool {
		return s.SigningToken == "" && s.Forward == nil
	})
	if first < 0 {
		return to, errors.New("there is no source without signing_token and forward to post to; `hooktape sources " +
			"add NAME` makes one")
	}
	to.urls, to.own = map[string]string{}, true
	hook := func(s config.Source) string { return cfg.IngestURL() + "/hooks/" + s.Name + "/" + s.Token }
	if i := slices.IndexFunc(cfg.Sources, func(s config.Source) bool {
		return s.SigningToken == "" && s.Forward != nil
	}); i >= 0 {
		to.external = hook(cfg.Sources[i])
	}
	find := func(name string) config.Source {
		source := cfg.Sources[first]
		if i := slices.IndexFunc(cfg.Sources, func(s config.Source) bool {
			return s.Name == name && s.Forward == nil
		}); i >= 0 {
			source = cfg.Sources[i]
		}
		to.urls[source.Name] = hook(source)
		return source
	}
	chat := find(simulate.DefaultSources.Chat)
	to.sources = simulate.Sources{Course: find(simulate.DefaultSources.Course).Name,
		Webinar: find(simulate.DefaultSources.Webinar).Name, Chat: chat.Name}
	to.signingToken = chat.SigningToken
	return to, nil
}

// url returns the URL of a request: of its source, or one that is refused as its verdict says.
func (to targets) url(e event.Event) string {
	target := to.urls[e.Source]
	switch e.Verdict {
	case event.BadToken:
		target = target[:strings.LastIndexByte(target, '/')+1] + "mistyped-token"
	case event.UnknownSource:
		known := to.urls[to.sources.Course]
		target = known[:strings.Index(known, "/hooks/")] + "/hooks/" + e.Source + "/mistyped-token"
	}
	if e.Step != "" {
		target += "/" + url.PathEscape(e.Step)
	}
	return target
}
