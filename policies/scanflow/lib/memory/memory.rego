# METADATA
# title: Memory
# description: What an agent did to a target before.
package scanflow.lib.memory

# METADATA
# title: Rested
# description: |
#   True where a strategy's last act of a verb began `ns` or more ago, whatever
#   came of it, or where there was none.
rested(strategy, verb, _) if not input.memory[strategy].last[verb]

rested(strategy, verb, ns) if input.now_ns - input.memory[strategy].last[verb].at_ns >= ns
