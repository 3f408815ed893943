// Tests of contacts.mjs, with Node's own runner: node --test. The emulator runs as a process beside them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import jsforce from 'jsforce';
import { send } from './contacts.mjs';

let emulator;
let org;

before(async () => {
  const command = process.env.BULKFORCE ?? 'bulkforce';
  emulator = spawn(command, ['emulator', '--json', '--schema', new URL('schema.toml', import.meta.url).pathname]);
  const [line] = await once(createInterface({ input: emulator.stdout }), 'line');
  const { base_url: instanceUrl, session_id: accessToken } = JSON.parse(line);
  org = { instanceUrl, accessToken };
});

after(() => emulator.kill());

test('members become contacts', async () => {
  assert.deepEqual(await send([{ badge: 'B-1', name: 'Hopper' }, { badge: 'B-2', name: 'Lovelace' }], org), []);
  assert.deepEqual(await send([{ badge: 'B-1', name: 'Murray' }], org), []);
  const { records } = await new jsforce.Connection(org).query('SELECT LastName FROM Contact ORDER BY Badge__c');
  assert.deepEqual(records.map((record) => record.LastName), ['Murray', 'Lovelace']);
});

test('refused members are reported', async () => {
  assert.deepEqual(await send([{ badge: 'B-3', name: '' }], org), [
    'B-3: REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --',
  ]);
});
