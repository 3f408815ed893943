// jsforce: bulk (v1) and bulk2, with its csv-parse to cut the file in batches, four of them in flight.
//   node jsforce_peer.mjs load|extract|load2|extract2 URL FOLDER OUT POLL
import { createReadStream, createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';

const [verb, url, folder, out, poll] = process.argv.slice(2);
const require = createRequire(join(process.env.NODE_MODULES, 'index.js'));
const jsforce = require('jsforce');
const { parse } = createRequire(require.resolve('jsforce'))('csv-parse');
const pause = Math.max(1, Number(poll) * 1000);
const org = new jsforce.Connection({ instanceUrl: url, accessToken: 'session', version: '59.0', maxRequest: 10 });
for (const api of [org.bulk, org.bulk2]) Object.assign(api, { pollInterval: pause, pollTimeout: 600_000 });
const source = () => createReadStream(join(folder, 'contacts.csv'));

const verbs = {
  async load() {
    const job = org.bulk.createJob('Contact', 'insert');
    const results = createWriteStream(join(out, 'results.csv'));
    const running = new Set();
    let rows = 0;
    const send = async (records) => {
      const batch = job.createBatch();
      batch.on('queue', () => batch.poll(pause, 600_000));
      const told = await new Promise((done, fail) => {
        batch.on('error', fail).on('response', done);
        batch.execute(records);
      });
      for (const one of told) results.write(`${one.id ?? ''},${one.success},"${one.errors.join(';').replaceAll('"', '""')}"\n`);
      rows += told.length;
    };
    const push = async (records) => {
      const sent = send(records).finally(() => running.delete(sent));
      running.add(sent);
      if (running.size >= 4) await Promise.race(running);
    };
    let records = [];
    for await (const record of source().pipe(parse({ columns: true }))) {
      records.push(record);
      if (records.length === 10_000) await push(records.splice(0));
    }
    if (records.length) await push(records);
    await Promise.all(running);
    await job.close();
    results.end();
    await finished(results);
    return rows;
  },
  async extract() {
    const found = await org.bulk.query('SELECT Id FROM Contact');
    await pipeline(found.stream(), createWriteStream(join(out, 'out.csv')));
    return -1;
  },
  async load2() {
    const job = org.bulk2.createJob({ object: 'Contact', operation: 'insert' });
    await job.open();
    await job.uploadData(source());
    await job.close();
    await job.poll(pause, 600_000);
    const told = await job.getSuccessfulResults();
    const results = createWriteStream(join(out, 'results.csv'));
    for (const one of told) results.write(`${one.sf__Id},${one.sf__Created}\n`);
    results.end();
    await finished(results);
    return told.length;
  },
  async extract2() {
    const found = await org.bulk2.query('SELECT Id FROM Contact');
    await pipeline(found.stream(), createWriteStream(join(out, 'out.csv')));
    return -1;
  },
};

const rows = await verbs[verb]();
console.log(JSON.stringify({ rows }));
process.exit(0);
