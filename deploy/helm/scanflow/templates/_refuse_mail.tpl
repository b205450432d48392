{{- /* Problems of senders, peers and certificates. */ -}}
{{- define "scanflow.problems.mail" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- $s := $v.senders -}}
{{- if and $s.secretName $s.list -}}
{{- include "scanflow.problem" (list $to "senders.secretName and senders.list: the senders come from one place; give one of them") -}}
{{- end -}}
{{- $names := list -}}
{{- range $s.list -}}
{{- if has .name $names -}}
{{- include "scanflow.problem" (list $to (printf "senders.list: %s is there twice; rename one" .name)) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- if and .clientCertificate (not $v.tls.clientCA.secretName) -}}
{{- include "scanflow.problem" (list $to (printf "senders.list: the certificate of %s is never asked for without tls.clientCA.secretName; name the Secret with the authority that signs it" .name)) -}}
{{- end -}}
{{- if and .peer .rights -}}
{{- if or (has "answer" .rights) (not (has "send" .rights)) -}}
{{- include "scanflow.problem" (list $to (printf "senders.list: %s is a peer, which sends the events of its agents and answers nothing; its rights have send, and not answer" .name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.tls.clientCA.secretName (not $v.tls.secretName) -}}
{{- include "scanflow.problem" (list $to "tls.clientCA.secretName: certificates are asked for over TLS alone, and tls.secretName is empty; name the Secret with the certificate to listen with") -}}
{{- end -}}
{{- if not $v.peers.urls -}}
{{- range $path, $ref := dict "peers.token" $v.peers.token "peers.ca" $v.peers.ca -}}
{{- if $ref.secretName -}}
{{- include "scanflow.problem" (list $to (printf "%s.secretName: is for peers, and peers.urls has none; add their addresses" $path)) -}}
{{- end -}}
{{- end -}}
{{- else if $v.peers.ca.secretName -}}
{{- if not (regexMatch "https://" (join " " $v.peers.urls)) -}}
{{- include "scanflow.problem" (list $to "peers.ca.secretName: is for peers with https, and all of peers.urls are http; leave it out, or use https") -}}
{{- end -}}
{{- end -}}
{{- if and (or $v.test.ca.secretName (ne $v.test.ca.key "ca.crt")) (not $v.tls.secretName) -}}
{{- include "scanflow.problem" (list $to "test.ca: the test asks over http, as tls.secretName is empty; leave it out") -}}
{{- end -}}
{{- $refs := list (list "token" $v.token "token") (list "senders" $s "senders.yaml") (list "tls.clientCA" $v.tls.clientCA "ca.crt") (list "peers.token" $v.peers.token "token") (list "peers.ca" $v.peers.ca "ca.crt") (list "serviceMonitor.ca" $v.serviceMonitor.ca "ca.crt") -}}
{{- include "scanflow.problems.keys" (list $to $refs) -}}
{{- end -}}
