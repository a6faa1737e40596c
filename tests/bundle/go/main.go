// Checks that a leaf stands in a log, with the Go team's own sumdb/note and sumdb/tlog.
//
// Arguments: files with the log's verifier key, the leaf's octets, the tlog-proof. What is ours here is the splitting of the proof into
// its lines, which those packages leave to their callers.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func hash(text string) (h tlog.Hash, err error) {
	octets, err := base64.StdEncoding.DecodeString(text)
	if err == nil && copy(h[:], octets) != len(h) || len(octets) != len(h) {
		err = fmt.Errorf("not a hash: %q", text)
	}
	return h, err
}

func check(vkey, leaf, proof string) error {
	verifier, err := note.NewVerifier(strings.TrimSuffix(vkey, "\n"))
	if err != nil {
		return err
	}
	head, signed, _ := strings.Cut(proof, "\n\n")
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := hash(lines[2])
	if err != nil {
		return err
	}
	heads := strings.Split(head, "\n")
	if len(heads) < 2 || heads[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a proof: %q", head)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(heads[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var path tlog.RecordProof
	for _, line := range heads[2:] {
		h, err := hash(line)
		if err != nil {
			return err
		}
		path = append(path, h)
	}
	return tlog.CheckRecord(path, size, root, index, tlog.RecordHash([]byte(leaf)))
}

func main() {
	var texts [3]string
	for i := range texts {
		octets, err := os.ReadFile(os.Args[i+1])
		if err != nil {
			panic(err)
		}
		texts[i] = string(octets)
	}
	if err := check(texts[0], texts[1], texts[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
