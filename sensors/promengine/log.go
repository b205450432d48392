package promengine

import (
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// newSlogLogger returns a slog logger that writes to hclog. Prometheus logs through slog.
func newSlogLogger(log hclog.Logger) *slog.Logger { return slog.New(slogHandler{log: log}) }

type slogHandler struct {
	log    hclog.Logger
	prefix string
}

// level lowers Prometheus' levels by one step: information about the engine is detail for the
// operator of an agent.
func level(l slog.Level) hclog.Level {
	switch {
	case l >= slog.LevelError:
		return hclog.Error
	case l >= slog.LevelWarn:
		return hclog.Warn
	case l >= slog.LevelInfo:
		return hclog.Debug
	}
	return hclog.Trace
}

func (h slogHandler) Enabled(_ context.Context, l slog.Level) bool {
	return level(l) >= h.log.GetLevel()
}

func (h slogHandler) Handle(_ context.Context, r slog.Record) error {
	var args []any
	r.Attrs(func(a slog.Attr) bool {
		args = append(args, h.prefix+a.Key, a.Value.Resolve().Any())
		return true
	})
	h.log.Log(level(r.Level), r.Message, args...)
	return nil
}

func (h slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var args []any
	for _, a := range attrs {
		args = append(args, h.prefix+a.Key, a.Value.Resolve().Any())
	}
	return slogHandler{log: h.log.With(args...), prefix: h.prefix}
}

func (h slogHandler) WithGroup(name string) slog.Handler {
	return slogHandler{log: h.log, prefix: h.prefix + name + "."}
}
