// jsforce at work: logins, single records, queries, and bulk loads and queries (Bulk API v1 and 2.0).
import jsforce from 'jsforce';

const org = JSON.parse(process.env.EMULATED_ORG);
const values = JSON.parse(process.env.NASTY_VALUES);

function connect(given = {}) {
  const conn = new jsforce.Connection({ instanceUrl: org.base_url, accessToken: org.session_id, version: '60.0', ...given });
  conn.bulk.pollInterval = 20;
  conn.bulk.pollTimeout = 20000;
  conn.bulk2.pollInterval = 20;
  conn.bulk2.pollTimeout = 20000;
  return conn;
}

const conn = connect();
const load = (operation, rows, options = {}) => conn.bulk.load('Contact', operation, options, rows);
const ids = (results) => results.map((one) => one.id);

async function ask(soql) {
  const found = [];
  const stream = await conn.bulk.query(soql);
  await new Promise((done, failed) => stream.on('record', (one) => found.push(one)).on('end', done).on('error', failed));
  return found;
}

const fast = { pollInterval: 20, pollTimeout: 20000 };

async function ask2(soql) {
  const stream = await conn.bulk2.query(soql, fast);
  return stream.toArray();
}

// bulk.query knows no queryAll: its CSV is fetched by hand.
async function askEverything(soql) {
  const texts = [];
  for (const { jobId, batchId, id } of await conn.bulk.load('Contact', 'queryAll', soql)) {
    for await (const piece of conn.bulk.job(jobId).batch(batchId).result(id).stream()) texts.push(String(piece));
  }
  return texts.join('');
}

async function contacts(department, count) {
  return ids(await load('insert', Array.from({ length: count }, (_, number) => ({ LastName: `${department} ${number}`, Department: department }))));
}

const cases = {
  async login_by_soap() {
    const fresh = new jsforce.Connection({ loginUrl: org.base_url, version: '60.0' });
    const user = await fresh.login(org.username, org.password);
    const found = await fresh.query('SELECT Username FROM User');
    return [user.id === fresh.userInfo.id, found.records[0].Username];
  },
  async login_by_oauth_password() {
    const oauth2 = { loginUrl: org.base_url, clientId: org.client_id, clientSecret: org.client_secret };
    const fresh = new jsforce.Connection({ oauth2, version: '60.0' });
    await fresh.login(org.username, org.password);
    return (await fresh.identity()).username;
  },
  async session_renewed_by_refresh_token() {
    const oauth2 = { loginUrl: org.base_url, clientId: org.client_id, clientSecret: org.client_secret };
    const fresh = new jsforce.Connection({
      oauth2, version: '60.0', instanceUrl: org.base_url, accessToken: '00Dexpired', refreshToken: org.refresh_token,
    });
    return (await fresh.query('SELECT Username FROM User')).records[0].Username;
  },
  async login_refused() {
    return new jsforce.Connection({ loginUrl: org.base_url }).login(org.username, 'wrong');
  },
  async nasty_values_arrive() {
    return load('insert', values.map((value, place) => ({ LastName: String(place), Department: 'nasty', Description: value })));
  },
  async nasty_values_come_out() {
    const found = await ask("SELECT LastName, Description FROM Contact WHERE Department = 'nasty'");
    return Object.fromEntries(found.map((one) => [one.LastName, one.Description]));
  },
  async update() {
    const made = await contacts('update', 3);
    return [made, await load('update', made.map((Id) => ({ Id, FirstName: 'Ada' })))];
  },
  async upsert() {
    const rows = [0, 1, 2].map((number) => ({ Badge__c: `B${number}`, LastName: `L${number}` }));
    const first = await load('upsert', rows.slice(0, 2), { extIdField: 'Badge__c' });
    return [first, await load('upsert', rows, { extIdField: 'Badge__c' })];
  },
  async delete() {
    const made = await contacts('delete', 2);
    const results = await load('delete', made.map((Id) => ({ Id })));
    const soql = "SELECT IsDeleted FROM Contact WHERE Department = 'delete'";
    return [results, await ask(soql), await askEverything(soql)];
  },
  async hard_delete() {
    const made = await contacts('hard', 2);
    const results = await load('hardDelete', made.map((Id) => ({ Id })));
    return [results, await askEverything("SELECT Id FROM Contact WHERE Department = 'hard'")];
  },
  async failing_rows() {
    return load('insert', [{ LastName: 'good', Email: '' }, { LastName: '', Email: 'a@example.com' }, { LastName: 'mail', Email: 'no' }]);
  },
  async csv_text() {
    return load('insert', 'LastName,Department\nfrom text,text\n"a ""quoted"", name",text\n');
  },
  async later_records_have_other_fields() {
    return load('insert', [{ LastName: 'first' }, { LastName: 'second', Department: 'other fields' }]);
  },
  async aborted_job() {
    const job = conn.bulk.createJob('Contact', 'insert');
    const info = await job.open();
    const aborted = await job.abort();
    return [info.state, aborted.state];
  },
  async job_and_batches() {
    const job = conn.bulk.createJob('Contact', 'insert', { concurrencyMode: 'Serial' });
    const batch = job.createBatch();
    batch.execute([{ LastName: 'listed' }]);
    await new Promise((done, failed) => batch.on('queue', done).on('error', failed));
    const list = await job.list();
    const checked = await job.check();
    await job.close();
    return [list.length, list[0].state, checked.concurrencyMode, checked.numberBatchesTotal];
  },
  async many_rows() {
    await contacts('many', 4500);
    const soql = "SELECT Id FROM Contact WHERE Department = 'many'";
    const first = await conn.query(soql);
    const all = await conn.query(soql, { autoFetch: true, maxFetch: 10000 });
    return [first.totalSize, first.done, first.records.length, all.records.length, (await ask(soql)).length];
  },
  async one_record() {
    const made = await conn.sobject('Contact').create({ LastName: 'REST', Email: 'ada@example.com' });
    const got = await conn.sobject('Contact').retrieve(made.id);
    const changed = await conn.sobject('Contact').update({ Id: made.id, FirstName: 'Ada' });
    const upserted = await conn.sobject('Contact').upsert({ Badge__c: 'R-1', LastName: 'By badge' }, 'Badge__c');
    const gone = await conn.sobject('Contact').destroy(made.id);
    return [made.success, got.Email, changed.success, upserted.success, gone.success];
  },
  async several_records() {
    const made = await conn.sobject('Contact').create([{ LastName: 'a' }, { FirstName: 'nobody' }]);
    return made.map((one) => [one.success, one.errors.map((error) => error.statusCode)]);
  },
  async describe() {
    const contact = await conn.sobject('Contact').describe();
    const everything = await conn.describeGlobal();
    return [contact.keyPrefix, contact.fields.find((one) => one.name === 'Email').type, everything.sobjects.some((one) => one.name === 'Account')];
  },
  async find_with_conditions() {
    await contacts('found', 3);
    const found = await conn.sobject('Contact').find({ Department: 'found', LastName: { $like: 'found %' } }, ['LastName']).sort({ LastName: -1 }).limit(2);
    return found.map((one) => one.LastName);
  },
  async limits() {
    return Object.keys((await conn.limits()).DailyBulkApiBatches).sort();
  },
  async bad_soql() {
    return ask('SELECT Nonsense FROM Contact');
  },
  async bad_session() {
    return connect({ accessToken: '00Dnonsense' }).query('SELECT Id FROM Contact');
  },
  async bad_session_in_bulk() {
    return connect({ accessToken: '00Dnonsense' }).bulk.load('Contact', 'insert', {}, [{ LastName: 'x' }]);
  },
  async bulk2_nasty_values() {
    const rows = values.map((value, place) => ({ LastName: String(place), Department: 'nasty2', Description: value ?? '' }));
    const told = await conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: rows, ...fast });
    const found = await ask2("SELECT LastName, Description FROM Contact WHERE Department = 'nasty2'");
    return {
      counts: [told.successfulResults.length, told.failedResults.length, told.unprocessedRecords.length],
      found: Object.fromEntries(found.map((one) => [one.LastName, one.Description])),
    };
  },
  async bulk2_operations() {
    const run = (operation, input, more = {}) => conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation, input, ...fast, ...more });
    const made = await run('insert', [{ LastName: 'a', Department: 'ops2' }, { LastName: 'b', Department: 'ops2' }]);
    const [first, second] = made.successfulResults.map((one) => one.sf__Id);
    const updated = await run('update', [{ Id: first, LastName: 'aa' }]);
    const key = { externalIdFieldName: 'Badge__c' };
    const upserted = await run('upsert', [{ Badge__c: 'J2', LastName: 'c', Department: 'ops2' }], key);
    const deleted = await run('delete', [{ Id: second }]);
    return [made, updated, upserted, deleted].map((one) => one.successfulResults.map((row) => row.sf__Created));
  },
  async bulk2_failing_rows() {
    const input = 'FirstName`LastName\nAda`\nBo`Ott\n';
    const told = await conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input, columnDelimiter: 'BACKQUOTE', ...fast });
    return [told.successfulResults.map((one) => one.LastName), told.failedResults.map((one) => [one.sf__Id, one.sf__Error])];
  },
  async bulk2_empty_input() {
    const told = await conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: '', ...fast });
    return [told.successfulResults.length, told.failedResults.length, told.unprocessedRecords.length];
  },
  async bulk2_unknown_column() {
    return conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: 'Nonsense\nx\n', ...fast });
  },
  async bulk2_bad_soql() {
    return ask2('SELECT Nonsense FROM Contact');
  },
  async bulk2_bad_session() {
    return connect({ accessToken: '00Dnonsense' }).bulk2.query('SELECT Id FROM Contact');
  },
};

const seen = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    seen[name] = { saw: await run() };
  } catch (error) {
    seen[name] = { raised: error.errorCode ?? error.name, message: error.message };
  }
}
console.log(JSON.stringify(seen));
