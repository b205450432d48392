package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/redact"
)

func TestSecretsInTexts(t *testing.T) {
	for _, secret := range []string{"tok-0123456789-abcdefghij", `tok "01\23" <4567>/8~abc+defghij%&`, "tok  with   blanks and é", "abcd", "..."} {
		inJSON, err := json.Marshal(secret)
		require.NoError(t, err)
		for sent, repeated := range map[string][]string{
			secret: {
				secret, strconv.Quote(secret), strconv.Quote(strconv.Quote(secret)), string(inJSON), url.QueryEscape(secret), url.PathEscape(secret),
				"http://h/?a=" + url.QueryEscape(secret) + "&b=" + secret, secret + secret,
			},
			"Bearer " + secret: {secret, "Bearer " + secret, strconv.Quote(secret)},
			"Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+secret)): {
				secret, "user:" + secret, base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
			},
		} {
			s := redact.New(sent)
			for _, text := range repeated {
				got := s.From("before " + text + " after")
				require.Contains(t, got, "***")
				if secret != "..." {
					require.NotContains(t, got, secret)
					require.NotContains(t, got, secret[:4])
				}
				require.Regexp(t, "^before .*after$", got)
			}
		}
	}
	require.Equal(t, "nothing", redact.New("").From("nothing"))
	require.Equal(t, "nothing...", redact.New("secret").From("nothing..."))
	require.Equal(t, "nothing...", redact.Secret{}.From("nothing..."))
}

// What is left of a secret where a text was cut is taken out, from four bytes on.
func TestSecretsThatAreCut(t *testing.T) {
	const secret = "0123456789"
	s := redact.New(secret)
	for n := range len(secret) {
		for _, form := range []string{"x %s... y", "%s...", "\"x%s...\""} {
			want := fmt.Sprintf(form, "***")
			if n < 4 {
				want = fmt.Sprintf(form, secret[:n])
			}
			require.Equal(t, want, s.From(fmt.Sprintf(form, secret[:n])))
		}
		for _, form := range []string{"x ...%s y", "...|%s", "a...b...%s"} {
			want := fmt.Sprintf(form, "***")
			if n < 4 {
				want = fmt.Sprintf(form, secret[len(secret)-n:])
			}
			require.Equal(t, want, s.From(fmt.Sprintf(form, secret[len(secret)-n:])))
		}
	}
}
