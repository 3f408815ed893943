// The `sf` command with the two of its plugins that are needed here: the others would triple what is installed.
import { execute } from '@oclif/core';

await execute({ dir: import.meta.url });
