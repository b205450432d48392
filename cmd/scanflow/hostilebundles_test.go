package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is one of an archive; raw is put into it as it is.
type entry struct {
	name, body string
	header     tar.Header // what differs from a plain file
	raw        []byte
}

// goodEntries are policies for both agents of an arena, different for each number.
func goodEntries(n int) []entry {
	return []entry{{name: "healthy/call.rego", body: callPolicy}, {name: "victim.rego", body: harmless + fmt.Sprintf("\n# revision %d\n", n)}}
}

// archive is a tar.
func archive(entries ...entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if e.raw != nil {
			must(w.Flush())
			out.Write(e.raw)
			continue
		}
		h := e.header
		h.Name, h.Mode = e.name, max(h.Mode, 0o644)
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(e.body))
		}
		must(w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(w, e.body)
			must(err)
		}
	}
	must(w.Close())
	return out.Bytes()
}

// must is for writing to memory, which can't fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func zipped(raw []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	must(err)
	_, err = w.Write(raw)
	must(err)
	must(w.Close())
	return out.Bytes()
}

// zeros is a gzip of so many times 16 MiB of zeros.
func zeros(times int) []byte { return bytes.Repeat(zipped(make([]byte, 16<<20)), times) }

// rawHeader returns the header of an entry with fields overwritten at their offsets, as no
// archiver writes it.
func rawHeader(name string, kind byte, fields map[int]string) []byte {
	h := make([]byte, 512)
	copy(h, name)
	for at, text := range map[int]string{100: "0000644", 108: "0000000", 116: "0000000", 124: "00000000000", 136: "00000000000", 257: "ustar\x0000"} {
		copy(h[at:], text)
	}
	h[156] = kind
	for at, text := range fields {
		copy(h[at:], text)
	}
	copy(h[148:156], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// hostileBundle is a file in the place of a bundle.
type hostileBundle struct {
	name string
	// bytes are the file, given the number of what is saved.
	bytes func(n int) []byte
	// put makes what is no plain file.
	put  func(t *testing.T, name string)
	want verdict
	says string
}

// with is a bundle of good entries and of more.
func beside(more ...entry) func(int) []byte {
	return func(n int) []byte { return zipped(archive(append(goodEntries(n), more...)...)) }
}

func besideFile(name, body string) func(int) []byte { return beside(entry{name: name, body: body}) }

func plain(b func() []byte) func(int) []byte { return func(int) []byte { return b() } }

func hostileBundles() []hostileBundle {
	const bomb = "package scanflow.lib.bomb\n\nx := 1\n"
	rows := []hostileBundle{
		{name: "an empty file", bytes: plain(func() []byte { return nil }), want: refused, says: "it is no .tar.gz as opa build makes it"},
		{name: "a page to log in", bytes: plain(func() []byte { return []byte("<html>log in</html>") }), want: refused, says: "it is no .tar.gz as opa build makes it"},
		{name: "a tar that is not packed", bytes: func(n int) []byte { return archive(goodEntries(n)...) }, want: refused, says: "it is no .tar.gz as opa build makes it"},
		{name: "a zip", bytes: plain(func() []byte {
			var out bytes.Buffer
			w := zip.NewWriter(&out)
			f, err := w.Create("x.rego")
			must(err)
			_, err = io.WriteString(f, bomb)
			must(err)
			must(w.Close())
			return out.Bytes()
		}), want: refused, says: "it is no .tar.gz as opa build makes it"},
		{name: "zstd", bytes: plain(func() []byte { return []byte("\x28\xb5\x2f\xfd\x04\x00aaaaaaaaaaaa") }), want: refused, says: "it is no .tar.gz as opa build makes it"},
		{name: "half of one", bytes: func(n int) []byte { b := beside()(n); return b[:len(b)/2] }, want: refused, says: "unexpected EOF"},
		{name: "without its end", bytes: func(n int) []byte { b := beside()(n); return b[:len(b)-4] }},
		{name: "half of a tar", bytes: func(n int) []byte { b := archive(goodEntries(n)...); return zipped(b[:700]) }, want: refused, says: "unexpected EOF"},
		{name: "a wrong sum", bytes: func(n int) []byte { b := beside()(n); b[len(b)-6] ^= 0xff; return b }},
		{name: "an archive of nothing", bytes: plain(func() []byte { return zipped(archive()) }), want: refused, says: "holds no .rego file"},
		{name: "an archive of what is no policy", bytes: plain(func() []byte { return zipped(archive(entry{name: "README", body: "x"})) }), want: refused, says: "holds no .rego file"},
		{name: "packed twice", bytes: func(n int) []byte { return zipped(beside()(n)) }, want: refused, says: "tar"},
		{name: "a bundle in a bundle", bytes: func(n int) []byte { return beside(entry{name: "inner.tar.gz", body: string(beside()(n))})(n) }, want: taken},
		{name: "random bytes in a gzip", bytes: plain(func() []byte { return zipped(bytes.Repeat([]byte("\x9f\x03k1\xee"), 4000)) }), want: refused, says: "tar"},
		{name: "1 GB of zeros", bytes: plain(func() []byte { return zeros(64) }), want: refused},
		{name: "1 GB in a module", bytes: plain(func() []byte {
			return append(zipped(rawHeader("x.rego", '0', map[int]string{124: "10000000000"})), zeros(64)...)
		}), want: refused, says: "larger than 32 MiB"},
		{name: "1 GB in a file that is not read", bytes: plain(func() []byte {
			return append(zipped(rawHeader("x.bin", '0', map[int]string{124: "10000000000"})), zeros(64)...)
		}), want: refused, says: "it unpacks to more than 64 MiB"},
		{name: "a bundle and 1 GB of zeros behind it", bytes: func(n int) []byte { return append(beside()(n), zeros(64)...) }},
		{name: "a bundle and garbage behind it", bytes: func(n int) []byte { return append(beside()(n), strings.Repeat("PK\x03\x04", 1000)...) }},
		{name: "200,000 headers", bytes: plain(func() []byte {
			return zipped(bytes.Repeat(rawHeader("x", '0', nil), 200_000))
		}), want: refused, says: "it unpacks to more than 64 MiB"},
		{name: "40,000 modules of nothing", bytes: plain(func() []byte {
			var b bytes.Buffer
			for i := range 40_000 {
				b.Write(rawHeader(fmt.Sprintf("%d.rego", i), '0', nil))
			}
			return zipped(b.Bytes())
		}), want: refused, says: "there are more than 30000 files"},
		{name: "absolute paths", bytes: besideFile("/etc/cron.d/x.rego", bomb), want: taken},
		{name: "paths that lead out", bytes: besideFile("../../../etc/x.rego", bomb), want: taken},
		{name: "a symbolic link", bytes: beside(entry{name: "x.rego", header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}), want: refused, says: "is no plain file"},
		{name: "a hard link", bytes: beside(entry{name: "x.rego", header: tar.Header{Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}), want: refused, says: "is no plain file"},
		{name: "a device", bytes: beside(entry{name: "x.rego", header: tar.Header{Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 5}}), want: refused, says: "is no plain file"},
		{name: "a pipe in it", bytes: beside(entry{name: "data.json", header: tar.Header{Typeflag: tar.TypeFifo}}), want: refused, says: "is no plain file"},
		{name: "a folder of the name of a module", bytes: beside(entry{name: "x.rego/", header: tar.Header{Typeflag: tar.TypeDir}}), want: taken},
		{name: "one name twice", bytes: beside(entry{name: "x.rego", body: bomb}, entry{name: "x.rego", body: "package scanflow.lib.other\n\nx := 2\n"}), want: refused, says: "x.rego is in it twice"},
		{name: "one name twice, written differently", bytes: beside(entry{name: "victim/../x.rego", body: bomb}, entry{name: "./x.rego", body: bomb}), want: refused, says: "x.rego is in it twice"},
		{name: "a negative size", bytes: beside(entry{raw: rawHeader("x.rego", '0', map[int]string{124: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"})}), want: refused, says: "tar"},
		{name: "a size that is no number", bytes: beside(entry{raw: rawHeader("x.rego", '0', map[int]string{124: "99999999999"})}), want: refused, says: "tar"},
		{name: "a size beyond all", bytes: beside(entry{raw: rawHeader("x.rego", '0', map[int]string{124: "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"})}), want: refused},
		{name: "8 GB of nothing, sparse", bytes: beside(entry{raw: rawHeader("x.rego", 'S', map[int]string{257: "ustar  \x00", 386: "77777777777\x0000000000000\x00", 483: "77777777777"})}), want: refused, says: "is no plain file"},
		{name: "records of 2 MB", bytes: beside(entry{raw: append(rawHeader("x", 'x', map[int]string{124: "00010000000"}), bytes.Repeat([]byte("7"), 1<<21)...)}), want: refused, says: "tar"},
		{name: "records that lie", bytes: beside(entry{raw: append(rawHeader("x", 'x', map[int]string{124: "00000000024"}), append([]byte("20 size=-9999999999\n"), make([]byte, 492)...)...)}, entry{name: "x.rego", body: bomb}), want: refused, says: "tar"},
		{name: "a name of 100 KB", bytes: besideFile(strings.Repeat("d/", 50_000)+"x.rego", bomb)},
		{name: "names of control characters", bytes: besideFile("\x1b[2J\n\r\xff.rego", "package"), want: refused, says: "rego_parse_error"},
		{name: "data at a path of 20,000 parts", bytes: besideFile(strings.Repeat("d/", 20_000)+"data.json", `{"a": 1}`)},
		{name: "a delta", bytes: besideFile("patch.json", `{"data": [{"op": "upsert", "path": "/a", "value": 1}]}`), want: refused, says: "it is a delta bundle"},
		{name: "a signature that is none", bytes: besideFile(".signatures.json", `{"signatures": 5}`)},
		{name: "a signature of somebody", bytes: besideFile(".signatures.json", `{"signatures": ["eyJhbGciOiJub25lIn0.e30."]}`)},
		{name: "a module of wasm", bytes: beside(entry{name: "policy.wasm", body: "\x00asm\x01\x00\x00\x00" + strings.Repeat("\xff", 100)}, entry{name: ".manifest", body: `{"roots": [""], "wasm": [{"entrypoint": "scanflow/strategies/t/victim/propose", "module": "/policy.wasm"}]}`})},
		{name: "a wasm that is not there", bytes: besideFile(".manifest", `{"roots": [""], "wasm": [{"entrypoint": "a/b", "module": "/none.wasm"}]}`)},
		{name: "a plan", bytes: besideFile("plan.json", `{"static": {"strings": [5]}, "plans": 7}`)},
		{name: "data of a huge exponent", bytes: besideFile("data.json", `{"a": 1e100000}`), want: refused, says: "1e100000"},
		{name: "data that is deep", bytes: besideFile("data.json", `{"a": `+nest(100_000, "[", "", "]")+`}`), want: refused, says: "data.json"},
		{name: "data of aliases", bytes: besideFile("data.yaml", corpusText("a bomb of YAML aliases", "data.yaml")), want: refused, says: "data.yaml"},
		{name: "20 MB of data", bytes: func(n int) []byte {
			return besideFile("data.json", `{"a": [`+strings.Repeat(`{"b":[{}]},`, 1_800_000)+`1]}`)(n)
		}, want: slow},
		{name: "a complete propose", bytes: besideFile("x.rego", "package scanflow.strategies.t.x\n\npropose := p if {\n\tp := 5\n}\n"), want: refused},
		{name: "nested every", bytes: besideFile("x.rego", "package scanflow.lib.x\n\nx if {\n"+nest(3000, "every a in [1] {\n", "true", "\n}")+"\n}\n"), want: slow},
		{name: "a test that hangs", bytes: besideFile("x_test.rego", "package x_test\n\ntest_a if {\n\t"+escapes()+"\n}\n"), want: slow},
		{name: "a folder in its place", put: func(t *testing.T, name string) { require.NoError(t, os.Mkdir(name, 0o755)) }, want: refused, says: "not a plain file"},
		{name: "a pipe in its place", put: func(t *testing.T, name string) { require.NoError(t, syscall.Mkfifo(name, 0o644)) }, want: refused, says: "not a plain file"},
		{name: "zeros in its place", put: func(t *testing.T, name string) { require.NoError(t, os.Symlink("/dev/zero", name)) }, want: refused, says: "not a plain file"},
		{name: "the log of the kernel in its place", put: func(t *testing.T, name string) { require.NoError(t, os.Symlink("/proc/kmsg", name)) }, want: refused},
		{name: "10 GB of nothing", put: func(t *testing.T, name string) {
			require.NoError(t, os.WriteFile(name, nil, 0o644))
			require.NoError(t, os.Truncate(name, 10<<30))
		}, want: refused, says: "larger than 32 MiB together"},
		{name: "a link to nothing in its place", put: func(t *testing.T, name string) { require.NoError(t, os.Symlink("nowhere", name)) }, want: refused, says: "no such file"},
	}
	for _, m := range []struct{ name, text, says string }{
		{"no JSON", "{", "not a manifest"},
		{"roots of a number", `{"roots": 5}`, "not a manifest"},
		{"roots of numbers", `{"roots": [1]}`, "not a manifest"},
		{"roots that overlap", `{"roots": ["scanflow", "scanflow/lib"]}`, ""},
		{"roots of none", `{"roots": []}`, "outside of the manifest's roots"},
		{"another Rego", `{"rego_version": 0}`, "rego_version"},
		{"a version beyond all", `{"rego_version": 1e99}`, "not a manifest"},
		{"versions of files", `{"rego_version": 1, "file_rego_versions": {"*": 0}}`, ""},
		{"deep", `{"metadata": ` + nest(100_000, "[", "", "]") + `}`, ".manifest"},
		{"a million roots", `{"roots": ["", ` + strings.Repeat(`"a",`, 1_000_000) + `"b"]}`, ""},
		{"twice", `{"roots": [""]}{"roots": 7}`, ""},
		{"a number of a million digits", `{"roots": [""], "metadata": {"a": ` + strings.Repeat("9", 1_000_000) + `}}`, ""},
	} {
		row := hostileBundle{name: "a manifest: " + m.name, bytes: besideFile(".manifest", m.text), says: m.says}
		if m.says != "" {
			row.want = refused
		}
		rows = append(rows, row)
	}
	for i := range rows {
		if rows[i].want == "" {
			rows[i].want = judged
		}
	}
	return rows
}

// corpusText is a file of a row of the corpus of folders.
func corpusText(row, file string) string {
	rows := corpus()
	at := slices.IndexFunc(rows, func(h hostileFolder) bool { return h.name == row })
	return rows[at].write()[file]
}

// bundleFile has the arena's policies be a bundle.
func (a *arena) bundleFile() {
	a.policies = filepath.Join(a.dir, "b.tar.gz")
	a.putBundle(hostileBundle{bytes: beside()})
}

func (a *arena) putBundle(b hostileBundle) {
	a.t.Helper()
	a.saved++
	next := a.policies + ".next"
	if b.put != nil {
		b.put(a.t, next)
	} else {
		require.NoError(a.t, os.WriteFile(next, b.bytes(a.saved), 0o644))
	}
	if info, err := os.Lstat(next); err == nil && info.IsDir() {
		require.NoError(a.t, os.Remove(a.policies)) // a folder can't take a file's place at once
	}
	if info, err := os.Lstat(a.policies); err == nil && info.IsDir() {
		require.NoError(a.t, os.Remove(a.policies))
	}
	require.NoError(a.t, os.Rename(next, a.policies))
}

// becomesLive waits for a revision.
func (a *arena) becomesLive(id string) {
	a.t.Helper()
	live := fmt.Sprintf("scanflow_policy_revision_info{revision=%q} 1", id)
	a.until(func() bool { return strings.Contains(a.scrape(), live) }, "the mended policies are not taken")
}

func TestHostileBundlesUnderADaemon(t *testing.T) {
	rows := hostileBundles()
	n := 0
	for group := range slices.Chunk(rows, (len(rows)+3)/4) {
		n++
		t.Run(fmt.Sprintf("daemon %d", n), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			a.bundleFile()
			a.start()
			a.ticks("healthy", 1)
			for _, b := range group {
				t.Run(b.name, func(t *testing.T) {
					outer := a.t
					a.t, a.d.t = t, t
					defer func() { a.t, a.d.t = outer, outer }()
					said := a.put(b.want, func() { a.putBundle(b) })
					b.verdict(t, said)
					a.ticks("healthy", 3)
					a.putBundle(hostileBundle{bytes: beside()})
					a.becomesLive(revisionOf(t, a.policies))
					a.requireUnharmed()
				})
				if a.d.ended() {
					return
				}
			}
			a.d.stop()
		})
	}
}

// put saves something, waits until it is decided upon, or for what is slow until it is
// tried, and returns what the log says of it.
func (a *arena) put(want verdict, save func()) string {
	a.t.Helper()
	attempts, before := a.attempts(), len(a.d.text())
	save()
	a.until(func() bool {
		return a.attempts() > attempts || want == slow && !soak() && strings.Contains(a.scrape(), "scanflow_policy_reload_in_progress 1")
	}, "nothing is tried")
	return a.d.text()[before:]
}

// verdict holds what the log says against what is expected.
func (b hostileBundle) verdict(t *testing.T, said string) {
	t.Helper()
	switch b.want {
	case refused:
		require.Contains(t, said, "policies refused")
		require.Contains(t, said, b.says)
	case taken:
		require.Contains(t, said, "policies live")
	default:
		for line := range strings.Lines(said) {
			if strings.Contains(line, "scanflow.policy") {
				t.Logf("%.600s", line)
			}
		}
	}
}

// requireUnharmed checks the invariants that hold whatever was saved.
func (a *arena) requireUnharmed() {
	a.t.Helper()
	require.NotContains(a.t, a.d.text(), "goroutine ", "a trace of a panic")
	require.Zero(a.t, a.restarts())
	require.Empty(a.t, a.app.keys(), "no act came of it")
	require.Less(a.t, a.meter.peak(), int64(arenaBytes), "of memory")
}
