package attack

import (
	"maps"
	"slices"

	"github.com/wxgate/wxgate/internal/attack/browsers"
	"github.com/wxgate/wxgate/internal/attack/corpus"
)

// Corpus returns all attacks for a target with its defaults set. Those on browser sessions
// are among them if the target has a cookie.
func Corpus(t *corpus.Target) []corpus.Attack {
	attacks := corpus.Corpus(t)
	if t.Cookie == "" {
		return attacks
	}
	return slices.Concat(attacks, browsers.Attacks(t))
}

// Mechanisms returns all mechanisms, in the order of [Corpus].
func Mechanisms() []*corpus.Mechanism {
	return slices.Concat(corpus.Mechanisms(), browsers.Mechanisms())
}

// controls returns the tests of all controls.
func controls(t *corpus.Target) map[corpus.Control]corpus.Test {
	all := t.Controls()
	maps.Copy(all, browsers.Controls(t))
	return all
}
