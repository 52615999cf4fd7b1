package connection

import (
	"context"
	"strings"
)

// Info returns sections of the response to INFO, by field name.
func (c *Connection) Info(ctx context.Context, sections ...string) (map[string]string, error) {
	text, err := c.Send(ctx, c.B().Info().Section(sections...).Build()).ToString()
	if err != nil {
		return nil, err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// Configured returns a parameter of the server's configuration, if the server reveals it.
func (c *Connection) Configured(ctx context.Context, parameter string) (value string, ok bool) {
	values, err := c.Send(ctx, c.B().ConfigGet().Parameter(parameter).Build()).AsStrMap()
	if err != nil {
		return "", false
	}
	value, ok = values[parameter]
	return value, ok
}
