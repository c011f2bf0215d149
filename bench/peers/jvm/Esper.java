import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPRuntimeProvider;
import java.io.File;

/** Esper. Its manual, Performance: "Prefer Stream-Level Filtering Over Where-Clause Filtering" (the condition stands in the stream's parentheses); no data
 *  window, but a context that ends every five seconds and puts out at its end; events are sent by an event sender. */
class Esper implements Peer.Job {
    private static final String EPL =
        "create context Five start @now end after 5 seconds;\n"
        + "context Five select device, avg(value) as average, max(value) as most, count(*) as n from Reading(metric = 'temperature') "
        + "group by device output snapshot when terminated;\n";

    public void main(File feed) throws Exception {
        Configuration configuration = new Configuration();
        configuration.getCommon().addEventType(Reading.class);
        EPRuntime runtime = EPRuntimeProvider.getRuntime("bench" + System.nanoTime(), configuration);
        EPCompiled compiled = EPCompilerProvider.getCompiler().compile(EPL, new CompilerArguments(configuration));
        for (var statement : runtime.getDeploymentService().deploy(compiled).getStatements())
            statement.addListener((added, removed, s, r) -> {
                for (int i = 0; added != null && i < added.length; i++)
                    Peer.take(added[i]);
            });
        var sender = runtime.getEventService().getEventSender("Reading");
        try (var readings = Reading.READER.<Reading>readValues(feed)) {
            while (readings.hasNext())
                sender.sendEvent(readings.next());
        }
        runtime.getDeploymentService().undeployAll();
        runtime.destroy();
    }
}
