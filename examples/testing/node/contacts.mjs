// The program under test: it sends its members to Salesforce as contacts, and reports which were refused, and why.
import jsforce from 'jsforce';

export async function send(members, { instanceUrl, accessToken }) {
  const connection = new jsforce.Connection({ instanceUrl, accessToken, version: '60.0' });
  const rows = members.map(({ badge, name }) => ({ Badge__c: badge, LastName: name }));
  // bulk.load() would do, but does not wait until the job is closed.
  const job = connection.bulk.createJob('Contact', 'upsert', { extIdField: 'Badge__c' });
  const batch = job.createBatch();
  batch.on('queue', () => batch.poll(50, 60_000));
  const results = await new Promise((done, failed) => batch.on('response', done).on('error', failed).execute(rows));
  await job.close();
  return results.flatMap((result, place) => (result.success ? [] : [`${members[place].badge}: ${result.errors[0]}`]));
}
