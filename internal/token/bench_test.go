package token_test

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func BenchmarkVerifyHit(b *testing.B) {
	g := newGateway(b, nil)
	raw := g.MustIssue(b, g.User(time.Hour))
	g.MustVerify(b, raw)
	g.Flush()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Verify(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyHitParallel(b *testing.B) {
	g := newGateway(b, nil)
	raw := g.MustIssue(b, g.User(time.Hour))
	g.MustVerify(b, raw)
	g.Flush()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := g.Verify(raw); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkVerifyMiss closes the cache, so that every call checks the signature.
func BenchmarkVerifyMiss(b *testing.B) {
	for _, alg := range allAlgs {
		b.Run(string(alg), func(b *testing.B) {
			g := newGateway(b, func(c *keyring.Config) { c.Alg = alg })
			raw := g.MustIssue(b, g.User(time.Hour))
			g.Close()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Verify(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuse measures refusals: of a malformed token and of a forged signature.
func BenchmarkRefuse(b *testing.B) {
	f := newForger(b, signing.EdDSA)
	raw := f.sign(f.header(""), payload("", ""))
	for name, raw := range map[string]string{"form": raw + ".", "signature": flip(raw, len(raw)-10)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Verify(raw); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

func BenchmarkIssue(b *testing.B) {
	for _, alg := range allAlgs {
		b.Run(string(alg), func(b *testing.B) {
			g := newGateway(b, func(c *keyring.Config) { c.Alg = alg })
			id := g.User(time.Hour)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Issue(id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
