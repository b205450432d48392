package promengine

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// encoder appends the JSON of `data` to a buffer, without an intermediate value for each
// series.
type encoder func(b []byte) []byte

func respond(w http.ResponseWriter, a apiResult) {
	b := append(make([]byte, 0, 4096), `{"status":"success","data":`...)
	b = a.data(b)
	warnings, infos := a.warnings.AsStrings(a.query, 10, 10)
	for _, list := range []struct {
		name  string
		texts []string
	}{{"warnings", warnings}, {"infos", infos}} {
		if len(list.texts) > 0 {
			b = append(append(b, `,"`+list.name+`":`...), encodeStrings(list.texts)(nil)...)
		}
	}
	write(w, http.StatusOK, append(b, '}'))
}

func respondError(w http.ResponseWriter, e *apiError) {
	b := appendString([]byte(`{"status":"error","errorType":`), e.name)
	b = appendString(append(b, `,"error":`...), e.err.Error())
	write(w, e.status, append(b, '}'))
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has disconnected
}

func encodeValue(v parser.Value) (encoder, error) {
	switch v := v.(type) {
	case promql.Scalar:
		return result("scalar", func(b []byte) []byte { return appendPoint(b, v.T, v.V) }), nil
	case promql.String:
		return result("string", func(b []byte) []byte {
			b = append(appendTime(append(b, '['), v.T), ',')
			return append(appendString(b, v.V), ']')
		}), nil
	case promql.Vector:
		for _, s := range v {
			if s.H != nil {
				return nil, fmt.Errorf("%s is a native histogram, which this engine does not serve", s.Metric)
			}
		}
		return result("vector", func(b []byte) []byte {
			return appendList(b, v, func(b []byte, s promql.Sample) []byte {
				b = appendLabels(append(b, `{"metric":`...), s.Metric)
				return append(appendPoint(append(b, `,"value":`...), s.T, s.F), '}')
			})
		}), nil
	case promql.Matrix:
		for _, s := range v {
			if len(s.Histograms) > 0 {
				return nil, fmt.Errorf("%s is a native histogram, which this engine does not serve", s.Metric)
			}
		}
		return result("matrix", func(b []byte) []byte {
			return appendList(b, v, func(b []byte, s promql.Series) []byte {
				b = appendLabels(append(b, `{"metric":`...), s.Metric)
				b = appendList(append(b, `,"values":`...), s.Floats, func(b []byte, p promql.FPoint) []byte {
					return appendPoint(b, p.T, p.F)
				})
				return append(b, '}')
			})
		}), nil
	}
	return nil, fmt.Errorf("a result of type %s can't be written", v.Type())
}

func result(kind string, body encoder) encoder {
	return func(b []byte) []byte {
		return append(body(append(b, `{"resultType":"`+kind+`","result":`...)), '}')
	}
}

func encodeStrings(list []string) encoder {
	return func(b []byte) []byte { return appendList(b, list, appendString) }
}

func encodeSeries(list []labels.Labels) encoder {
	return func(b []byte) []byte { return appendList(b, list, appendLabels) }
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

func appendLabels(b []byte, l labels.Labels) []byte {
	b = append(b, '{')
	first := true
	l.Range(func(l labels.Label) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(append(appendString(b, l.Name), ':'), l.Value)
	})
	return append(b, '}')
}

// appendPoint writes [seconds, "value"]. The value is a string, since JSON has no NaN.
func appendPoint(b []byte, t int64, v float64) []byte {
	b = append(appendTime(append(b, '['), t), `,"`...)
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return append(strconv.AppendFloat(b, v, format, -1, 64), `"]`...)
}

func appendTime(b []byte, ms int64) []byte {
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always marshals
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
